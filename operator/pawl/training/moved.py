"""Have the features moved since the champion was trained?

The training rows are counted in the bins and categories of the champion's baseline.json, as a
server counts requests, and compared by the population stability index without what chance alone
adds to it: psi − (K − 1)(1/n + 1/m), for K bins, n rows now and m rows then. A feature has moved
above 0.2, the default of drift in serving. The figures are in result.json and on the model card.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pawl.artifacts import bundle
from pawl.artifacts.records import Baseline
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import Move, Moved, StoreRef
from pawl.errors import DataError, PawlError
from pawl.stats.binning import bin_counts
from pawl.stats.drift.divergences import DEFAULTS, corrected, psi
from pawl.stats.drift.layout import Ragged
from pawl.stats.metrics import Floats
from pawl.training.features import Matrix

LIMIT = DEFAULTS["psi"]
_SHOWN = 5
MOST_KEPT = 256


def since(
    champion: StoreRef, train: Matrix, most: float | None = None
) -> tuple[Moved | None, tuple[str, ...]]:
    """How far features have moved since the champion was trained, with a sentence where that is
    far, or why nobody can say; nothing for a bare model, which has no baseline. DataError where
    one has moved by more than `most`."""
    if champion.uri.endswith(".onnx"):
        return None, ()
    try:
        found = moves(baseline(champion), train)
    except (PawlError, OSError) as error:
        return None, (f"features cannot be compared with those of {champion.name}: {error}",)
    if most is not None and max(found.values(), default=0.0) > most:
        told = "; ".join(_told(champion, found, most))
        raise DataError(f"{told}; at most {most:g} (maxPsi) may be", reason="CheckFailed")
    return _farthest(champion, found), _told(champion, found, LIMIT)


def _farthest(champion: StoreRef, found: dict[str, float]) -> Moved:
    every = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return Moved(
        version=champion.name,
        digest=champion.digest,
        compared=len(every),
        features=tuple(Move(feature=name, psi=value) for name, value in every[:MOST_KEPT]),
    )


def _told(champion: StoreRef, found: dict[str, float], limit: float) -> tuple[str, ...]:
    over = sorted(((v, name) for name, v in found.items() if v > limit), reverse=True)
    if not over:
        return ()
    listed = ", ".join(f"{name} (psi {value:.2f})" for value, name in over[:_SHOWN])
    more = f" and {len(over) - _SHOWN} more" if len(over) > _SHOWN else ""
    return (
        f"{len(over)} of {len(found)} features have moved since {champion.name} was trained: "
        f"{listed}{more}",
    )


def baseline(champion: StoreRef) -> Baseline:
    """What the champion's training rows looked like."""
    with tempfile.TemporaryDirectory(prefix="pawl-baseline-") as folder:
        bundle.fetch_bundle(
            champion.uri, champion.digest, Path(folder), names=[bundle.BASELINE], retry=PATIENT
        )
        data = (Path(folder) / bundle.BASELINE).read_bytes()
    return Baseline.model_validate_json(data)


def moves(then: Baseline, train: Matrix) -> dict[str, float]:
    """psi of each feature that both have, of the same kind."""
    counted = list(_counts(then, train))
    if not counted:
        return {}
    names, now, before = zip(*counted, strict=True)
    bins = Ragged.sized([len(counts) for counts in now])
    ours, theirs = np.concatenate(now), np.concatenate(before)
    used = bins.sum((ours > 0) | (theirs > 0))
    n, m = np.maximum(bins.sum(ours), 1), np.maximum(bins.sum(theirs), 1)
    found = corrected("psi", psi(bins, ours, theirs), (used - 1) * (1 / n + 1 / m))
    return dict(zip(names, found.tolist(), strict=True))


def _counts(then: Baseline, train: Matrix) -> Iterator[tuple[str, Floats, Floats]]:
    """Name, rows per bin now and then. Missing values have a bin of their own."""
    numbers = dict(zip(train.numeric_names, train.numeric.T, strict=True))
    for known in then.numeric:
        if (values := numbers.get(known.name)) is not None:
            present = values[~np.isnan(values)]
            counts = bin_counts(present, np.array(known.edges, dtype=np.float64))
            now = np.append(counts, len(values) - len(present)).astype(np.float64)
            yield known.name, now, np.array([*known.counts, known.missing], dtype=np.float64)
    texts = dict(zip(train.categorical_names, train.categorical.T, strict=True))
    for table in then.categorical:
        if (column := texts.get(table.name)) is not None:
            seen = Counter(column.tolist())
            missing, every = seen.pop("", 0), [seen.pop(name, 0) for name in table.categories]
            now = np.array([*every, seen.total(), missing], dtype=np.float64)
            before = [*table.counts, table.other, table.missing]
            yield table.name, now, np.array(before, dtype=np.float64)
