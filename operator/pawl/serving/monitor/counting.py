"""Rows -> counts per cell, many rows at a time.

A column of numbers is sorted; where its feature's fine edges fall in it says how many values each
bin has. That is several times quicker than to look up every value among the edges, because sorting
and sums are done by vector instructions. NaN is missing and comes last. Values that are not finite
or beyond 10^150 are counted, but their bin's sum does without them: one of them would be all that
is left of it. Categories are looked up as `texts` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pawl.serving.monitor.cells import CategoryPart, Layout, NumericPart
from pawl.serving.monitor.predictions import class_text
from pawl.serving.monitor.steps import Counts
from pawl.serving.monitor.texts import Lookup, Tally

_MAX_SUMMED: Final = 1e150


class Table:
    """Counts rows in the cells of a layout."""

    def __init__(self, layout: Layout) -> None:
        self._width, self._fine = layout.width, layout.fine
        numeric = [part for part in layout.every if isinstance(part, NumericPart)]
        self._numeric = _Numeric(numeric) if numeric else None
        counted = [part for part in layout.parts if isinstance(part, CategoryPart)]
        self._lookup = (
            Lookup([part.places for part in counted], [part.other for part in counted])
            if counted
            else None
        )
        self._predicted = layout.prediction if isinstance(layout.prediction, CategoryPart) else None
        self._classes = self._predicted.places if self._predicted is not None else {}

    def tally(self) -> Tally | None:
        """What counts the features of categories; None when there are none."""
        return Tally(self._lookup, self._width) if self._lookup is not None else None

    def count(self, numbers: NDArray[np.float64], labels: Sequence[Any]) -> Counts:
        """All else: `numbers` [n, columns of numeric features, then the predicted number]; `labels`
        are predicted classes, None for none."""
        cells = np.zeros(self._width, dtype=np.int64)
        fine, sums = np.zeros(self._fine, dtype=np.int64), np.zeros(self._fine)
        if self._numeric is not None:
            self._numeric.count(numbers, cells, fine, sums)
        if self._predicted is not None:
            for label, count in Counter(labels).items():
                name = "" if label is None else class_text(label)
                cells[self._classes.get(name, self._predicted.other)] += count
        return Counts(cells, fine, sums)


class _Numeric:
    """The numeric features and the predicted number. `fine` is of all of them, side by side."""

    def __init__(self, parts: Sequence[NumericPart]) -> None:
        self._columns = np.array([part.column for part in parts])
        # What lies up to the number before the least one, and not up to the greatest, is outside.
        # The fine edges follow; each with where its first and its last fine bin are.
        self._edges = [
            (_looked_up(part), place, part.fine_at, part.last) for place, part in enumerate(parts)
        ]
        self._first = np.array([part.fine_at for part in parts])
        self._last = np.array([part.last for part in parts])
        # Where bins begin among the fine ones, and which cells they are.
        self._begins = np.concatenate([_begins(part) for part in parts])
        self._bins = np.concatenate([np.arange(part.at, part.at + part.bins) for part in parts])
        self._missing = np.array([part.at + part.bins for part in parts])

    def count(
        self,
        numbers: NDArray[np.float64],
        cells: NDArray[np.int64],
        fine: NDArray[np.int64],
        sums: NDArray[np.float64],
    ) -> None:
        """Adds to all three."""
        if not len(numbers):
            return
        columns = numbers.T.take(self._columns, axis=0)
        columns.sort(axis=1)
        missing = np.count_nonzero(np.isnan(columns), axis=1)
        ends, limits = np.empty_like(fine), np.empty((len(columns), 2), dtype=np.int64)
        for column, (edges, place, first, last) in zip(columns, self._edges, strict=True):
            found = column.searchsorted(edges, "right")
            limits[place] = found[:2]
            ends[first:last] = found[2:]
        present = len(numbers) - missing
        outside = limits[:, 0] + present - limits[:, 1]
        ends[self._last] = present
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        starts[self._first] = 0
        fine += ends - starts
        if missing.any() or not _is_summed(columns):
            columns = np.where(np.abs(columns) <= _MAX_SUMMED, columns, 0.0)
        # What is missing stands behind the last bin, and is 0 there.
        widths = fine.copy()
        widths[self._last] += missing
        filled = np.flatnonzero(widths)
        begins = np.cumsum(widths[filled]) - widths[filled]
        sums[filled] += np.add.reduceat(columns.ravel(), begins)
        cells[self._bins] = np.add.reduceat(fine, self._begins)
        cells[self._missing] = missing
        cells[self._missing + 1] = outside


def _looked_up(part: NumericPart) -> NDArray[np.float64]:
    baseline = part.baseline
    limits = [np.nextafter(baseline.minimum, -np.inf), baseline.maximum]
    return np.array([*limits, *baseline.fine_edges], dtype=np.float64)


def _is_summed(columns: NDArray[np.float64]) -> bool:
    """Of sorted columns: none has a value that sums do without."""
    return bool((columns[:, 0] >= -_MAX_SUMMED).all() and (columns[:, -1] <= _MAX_SUMMED).all())


def _begins(part: NumericPart) -> NDArray[np.int64]:
    edges = np.searchsorted(part.baseline.fine_edges, part.baseline.edges)
    return part.fine_at + np.concatenate([[0], edges + 1])
