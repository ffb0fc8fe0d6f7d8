"""Gates on slices: min, max and champion gates of the rows of each value of a column, apart.

How slices are judged: `stats.slices`. A column is taken as text; rows without a value are a slice
called (missing).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.evaluation import Gate, Slice
from pawl.api.metrics import METRICS
from pawl.artifacts.runs import GateResult, SliceResult
from pawl.errors import DataError
from pawl.stats import slices
from pawl.stats.metrics import Answers, Truth, UndefinedMetricError
from pawl.training.features import as_texts
from pawl.training.gates import Rival, result_of, undecided
from pawl.training.tables import text

MOST_VALUES = 50
MISSING = "(missing)"


def values_of(table: pa.Table, column: str) -> NDArray[Any]:
    """What each row has in `column`, as text."""
    texts = as_texts(text(table.column(column)), column)
    return np.where(texts == "", MISSING, texts)


def require_values(table: pa.Table, gates: tuple[Gate, ...]) -> None:
    """DataError where a column has too many values to tell rows apart by them, or lacks the one
    that is asked for."""
    for gate in gates:
        if gate.column is None:
            continue
        known = set(values_of(table, gate.column).tolist())
        wanted = gate.slice.value if gate.slice is not None else None
        if wanted is None and len(known) > MOST_VALUES:
            raise DataError(
                f'a gate looks at each value of column "{gate.column}", which has {len(known):,}; '
                f"at most {MOST_VALUES} can be judged: name one, or group them"
            )
        if wanted is not None and wanted not in known:
            raise DataError(f'no row has "{wanted}" in column "{gate.column}", which a gate names')


def bound(gate: Gate, wanted: Slice, table: pa.Table, truth: Truth, said: Answers, seed: int) -> (
    GateResult
):  # fmt: skip
    """Decides a min or max gate with a slice."""
    least = gate.min is not None
    limit = gate.min if gate.min is not None else gate.max
    if limit is None:
        raise ValueError("neither min nor max")

    def judged(name: str, rows: NDArray[np.bool_]) -> slices.Slice:
        return slices.bounded(
            name, gate.name, truth[rows], said.take(rows), limit, least=least, seed=seed
        )

    found, few = _judged(gate, wanted, table, truth, (said,), judged)
    return _told(gate, wanted, found, few, limit, "min" if least else "max")


def champion(gate: Gate, wanted: Slice, rival: Rival, margin: float, seed: int) -> GateResult:
    """Decides a champion gate with a slice, on the rows that it is decided on as a whole."""
    better = METRICS[gate.name].higher_is_better

    def judged(name: str, rows: NDArray[np.bool_]) -> slices.Slice:
        a, b = rival.candidate.take(rows), rival.rival.take(rows)
        return slices.compared(
            name, gate.name, rival.truth[rows], a, b, margin, better=better, seed=seed
        )

    models = (rival.candidate, rival.rival)
    found, few = _judged(gate, wanted, rival.table, rival.truth, models, judged)
    return _told(gate, wanted, found, few, margin, "champion")


def _judged(
    gate: Gate,
    wanted: Slice,
    table: pa.Table,
    truth: Truth,
    models: tuple[Answers, ...],
    judged: Callable[[str, NDArray[np.bool_]], slices.Slice],
) -> tuple[list[slices.Slice], list[SliceResult]]:
    """The slices with rows enough, judged one by one, and the others."""
    values = values_of(table, wanted.column)
    names = sorted(set(values.tolist())) if wanted.value is None else [wanted.value]
    found, few = [], []
    for name in names:
        rows = values == name
        n = slices.about(gate.name, truth[rows], *(said.take(rows) for said in models))
        try:
            if n >= wanted.min_rows:
                found.append(judged(name, rows))
                continue
        except UndefinedMetricError:
            pass
        few.append(SliceResult(name=name, value=None, n=n, verdict="Inconclusive"))
    return found, few


def _told(
    gate: Gate,
    wanted: Slice,
    found: list[slices.Slice],
    few: list[SliceResult],
    limit: float,
    kind: str,
) -> GateResult:
    verdict, ordered = slices.judge(found)
    left_out = ", ".join(part.name for part in few[:5]) + (", …" if len(few) > 5 else "")
    beside = f"; not judged, with fewer than {wanted.min_rows} rows: {left_out}" if few else ""
    if not ordered:
        result = undecided(gate.name, kind, limit, 0, f"no slice by {wanted.column}{beside}", gate)
    else:
        worst = ordered[0]
        e = worst.estimate
        what = "the advantage in " if kind == "champion" else ""
        allowed = f"{-limit:g} may be lost" if kind == "champion" else f"limit {kind} {limit:g}"
        several = f"the worst of {len(ordered)} slices" if len(ordered) > 1 else "the slice"
        message = (
            f"{what}{gate.name} is {e.value:.4g} where {wanted.column} is {worst.name}, {several} "
            f"({allowed}; 95 % interval {e.lower:.4g} to {e.upper:.4g}, {e.n:,} rows){beside}"
        )
        result = result_of(gate.name, kind, limit, e, verdict, message, gate)
    shown = [
        SliceResult(
            name=part.name,
            value=part.estimate.value,
            interval=(part.estimate.lower, part.estimate.upper),
            n=part.estimate.n,
            verdict=part.verdict,
        )
        for part in ordered
    ]
    return result.model_copy(update={"column": wanted.column, "slices": (*shown, *few)})
