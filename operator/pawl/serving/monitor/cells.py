"""The cells in which a version's rows are counted, made from its baseline.

Numeric: bin i is (edges[i-1], edges[i]], then `missing` (NaN), then `outOfRange`: below the least
or above the largest value of the baseline; such a value is in the first or last bin too. Category:
the table's categories, then `other`, then `missing`. A prediction is counted like a feature of its
kind; it is missing when it is not finite. A feature of that name is told in quotes.

The cells of all features lie side by side in one vector, in the order of the baseline, those of the
prediction last. Fine bins, of which the bins above are sums, lie likewise in a vector of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from pawl.artifacts.records import Baseline, CategoryBaseline, NumericBaseline, Signature
from pawl.serving.monitor.predictions import ScoreKind
from pawl.serving.monitor.steps import fits
from pawl.stats.drift.layout import PREDICTION, called

MISSING, OTHER, OUT_OF_RANGE = "missing", "other", "outOfRange"


@dataclass(frozen=True, slots=True)
class NumericPart:
    """A numeric feature (or prediction). `column`: its place in a block of rows; `at` and
    `fine_at`: where its cells and its fine bins begin."""

    name: str
    column: int
    baseline: NumericBaseline
    at: int
    fine_at: int

    @property
    def bins(self) -> int:
        """Cells that are bins."""
        return len(self.baseline.counts)

    @property
    def cells(self) -> int:
        return self.bins + 2

    @property
    def fine(self) -> int:
        return len(self.baseline.fine_counts)

    @property
    def last(self) -> int:
        """The last fine bin."""
        return self.fine_at + self.fine - 1

    @property
    def labels(self) -> list[str]:
        """As Prometheus and people read them; each is another."""
        texts = ["-inf", *_texts(self.baseline.edges), "inf"]
        bounds = [f"({low}, {high}]" for low, high in pairwise(texts)]
        return [*bounds[:-1], f"({texts[-2]}, inf)", MISSING, OUT_OF_RANGE]

    @property
    def reference(self) -> list[int]:
        """What the baseline has in the cells."""
        return [*self.baseline.counts, self.baseline.missing, 0]

    def described(self) -> dict[str, Any]:
        """As /features/layout tells it."""
        return {
            "name": self.name,
            "kind": "numeric",
            "cells": self.cells,
            "labels": self.labels,
            "reference": self.reference,
            "fine": self.fine,
            "fineReference": self.baseline.fine_counts,
            "fineSums": self.baseline.fine_sums,
        }


@dataclass(frozen=True, slots=True)
class CategoryPart:
    """A feature of categories (or a class that is predicted); the fields as above."""

    name: str
    column: int
    baseline: CategoryBaseline
    at: int

    @property
    def cells(self) -> int:
        return len(self.baseline.counts) + 2

    @property
    def places(self) -> dict[str, int]:
        """The cell of every category, and of none."""
        names = [*self.baseline.categories, ""]
        cells = [*range(self.at, self.at + self.cells - 2), self.at + self.cells - 1]
        return dict(zip(names, cells, strict=True))

    @property
    def other(self) -> int:
        return self.at + self.cells - 2

    @property
    def labels(self) -> list[str]:
        """A category by the name of another cell is told in quotes."""
        taken = {OTHER, MISSING}
        labels = []
        for name in self.baseline.categories:
            label = name
            while label in taken:
                label = f'"{label}"'
            taken.add(label)
            labels.append(label)
        return [*labels, OTHER, MISSING]

    @property
    def reference(self) -> list[int]:
        return [*self.baseline.counts, self.baseline.other, self.baseline.missing]

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": "category",
            "cells": self.cells,
            "labels": self.labels,
            "reference": self.reference,
            "fine": 0,
            "fineReference": (),
            "fineSums": (),
        }


Part = NumericPart | CategoryPart


@dataclass(frozen=True, slots=True)
class Layout:
    """What is counted of one version: `width` cells and `fine` bins. Rows come as `numeric` columns
    of numbers, behind which the predicted number stands, and `categorical` columns. `uncounted`:
    features that there was no room for, or whose baseline contradicts itself."""

    parts: tuple[Part, ...] = ()
    prediction: Part | None = None
    width: int = 0
    fine: int = 0
    numeric: int = 0
    categorical: int = 0
    uncounted: tuple[str, ...] = ()
    #: The class whose share is told by group; None unless there are two.
    positive: Any = None
    #: The page's `features` as JSON, and a name for what is in it.
    features: bytes = field(default=b"[]", repr=False)
    digest: str = ""

    @property
    def every(self) -> tuple[Part, ...]:
        """In the order of the cells."""
        return self.parts if self.prediction is None else (*self.parts, self.prediction)


def layout_of(
    signature: Signature, baseline: Baseline | None, score_kind: ScoreKind | None
) -> Layout:
    """Features of the baseline that the signature does not have are passed over. Without a baseline
    nothing has cells."""
    numeric, categorical = list(signature.numeric), list(signature.categorical)
    width = fine = 0
    parts: list[Part] = []
    uncounted: list[str] = []
    prediction = _prediction(baseline, score_kind)
    reserved = (_cells(prediction), _fine(prediction)) if prediction is not None else (0, 0)
    for found, columns in _features(baseline, numeric, categorical):
        if not is_sound(found) or not fits(
            width + _cells(found) + reserved[0], fine + _fine(found) + reserved[1]
        ):
            uncounted.append(found.name)
            continue
        column = columns.index(found.name)
        parts.append(_part(called(found.name), column, found, width, fine))
        width, fine = width + _cells(found), fine + _fine(found)
    last = None
    if prediction is not None:
        column = len(numeric) if isinstance(prediction, NumericBaseline) else len(categorical)
        last = _part(PREDICTION, column, prediction, width, fine)
    every = parts if last is None else [*parts, last]
    features = orjson.dumps([part.described() for part in every])
    return Layout(
        parts=tuple(parts),
        prediction=last,
        width=width + reserved[0],
        fine=fine + reserved[1],
        numeric=len(numeric),
        categorical=len(categorical),
        uncounted=tuple(uncounted),
        positive=signature.classes[1] if len(signature.classes) == 2 else None,
        features=features,
        digest=sha256(features).hexdigest()[:12],
    )


def is_sound(baseline: NumericBaseline | CategoryBaseline) -> bool:
    """Whether counts belong to bins, and coarse bins are sums of fine ones."""
    if isinstance(baseline, CategoryBaseline):
        names = baseline.categories
        return len(set(names)) == len(names) == len(baseline.counts) and "" not in names
    return (
        len(baseline.counts) == len(baseline.edges) + 1
        and len(baseline.fine_counts) == len(baseline.fine_sums) == len(baseline.fine_edges) + 1
        and _ascends(baseline.edges)
        and _ascends(baseline.fine_edges)
        and set(baseline.edges) <= set(baseline.fine_edges)
    )


def _ascends(edges: Sequence[float]) -> bool:
    return bool(np.isfinite(edges).all() and (np.diff(edges) > 0).all())


def _features(
    baseline: Baseline | None, numeric: list[str], categorical: list[str]
) -> Iterator[tuple[NumericBaseline | CategoryBaseline, list[str]]]:
    """Those that the signature has, each with the columns of its kind."""
    if baseline is None:
        return
    kinds: tuple[tuple[Iterable[NumericBaseline | CategoryBaseline], list[str]], ...] = (
        (baseline.numeric, numeric),
        (baseline.categorical, categorical),
    )
    for found, columns in kinds:
        for feature in found:
            if feature.name in columns:
                yield feature, columns


def _prediction(
    baseline: Baseline | None, score_kind: ScoreKind | None
) -> NumericBaseline | CategoryBaseline | None:
    """Of the kind in which predictions come, with room for it."""
    if baseline is None or score_kind is None or not is_sound(baseline.prediction):
        return None
    found = baseline.prediction
    return found if fits(_cells(found), _fine(found)) else None


def _cells(baseline: NumericBaseline | CategoryBaseline) -> int:
    return len(baseline.counts) + 2


def _fine(baseline: NumericBaseline | CategoryBaseline) -> int:
    return len(baseline.fine_counts) if isinstance(baseline, NumericBaseline) else 0


def _part(
    name: str,
    column: int,
    baseline: NumericBaseline | CategoryBaseline,
    at: int,
    fine_at: int,
) -> Part:
    if isinstance(baseline, NumericBaseline):
        return NumericPart(name, column, baseline, at, fine_at)
    return CategoryPart(name, column, baseline, at)


def _texts(edges: Sequence[float]) -> list[str]:
    """With as few digits as tell them apart, four at least."""
    texts: list[str] = []
    for digits in (4, 6, 9, 17):
        texts = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(texts)) == len(texts):
            break
    return texts
