"""Rows -> counts per cell, many rows at a time.

Every number is looked up once, among the fine edges of its feature; all else is sums. NaN is
missing: it sorts behind every edge, so what is missing is taken from the last bin again. Values
that are not finite or beyond 10^150 are counted, but their bin's sum does without them: one of them
would be all that is left of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pawl.serving.monitor.cells import CategoryPart, Layout, NumericPart
from pawl.serving.monitor.minutes import Counts
from pawl.serving.monitor.predictions import class_text

_MAX_SUMMED: Final = 1e150


class Table:
    """Counts rows in the cells of a layout."""

    def __init__(self, layout: Layout) -> None:
        self._width = layout.width
        numeric = [part for part in layout.every if isinstance(part, NumericPart)]
        self._numeric = _Numeric(numeric, layout.fine) if numeric else None
        self._categories = [
            (part.column, part.places, part.other)
            for part in layout.parts
            if isinstance(part, CategoryPart)
        ]
        self._predicted: tuple[dict[str, int], int] | None = None
        if isinstance(layout.prediction, CategoryPart):
            self._predicted = layout.prediction.places, layout.prediction.other
        self._no_fine = np.zeros(layout.fine, dtype=np.int64)

    def count(
        self, numbers: NDArray[np.float64], categories: NDArray[Any], labels: Sequence[Any]
    ) -> Counts:
        """`numbers` [n, columns of numeric features, then the predicted number], `categories` [n,
        columns]; `labels` are predicted classes, None for none."""
        cells = np.zeros(self._width, dtype=np.int64)
        if self._numeric is None:
            fine, sums = self._no_fine, self._no_fine.astype(np.float64)
        else:
            fine, sums = self._numeric.count(numbers, cells)
        for column, places, other in self._categories:
            for value, count in Counter(categories[:, column].tolist()).items():
                cells[places.get(value, other)] += count
        if self._predicted is not None:
            places, other = self._predicted
            for label, count in Counter(labels).items():
                cells[places.get("" if label is None else class_text(label), other)] += count
        return Counts(cells, fine, sums)


class _Numeric:
    """The numeric features and the predicted number, by column of a block."""

    def __init__(self, parts: Sequence[NumericPart], fine: int) -> None:
        self._columns = np.array([part.column for part in parts])
        self._edges = [np.array(part.baseline.fine_edges, dtype=np.float64) for part in parts]
        self._low = np.array([[part.baseline.minimum] for part in parts])
        self._high = np.array([[part.baseline.maximum] for part in parts])
        self._fine = fine
        self._fine_at = np.array([[part.fine_at] for part in parts])
        self._last = np.array([part.fine_at + part.fine - 1 for part in parts])
        # Where bins begin among the fine ones, and which cells they are.
        self._begins = np.concatenate([_begins(part) for part in parts])
        self._bins = np.concatenate([np.arange(part.at, part.at + part.bins) for part in parts])
        self._missing = np.array([part.at + part.bins for part in parts])

    def count(
        self, numbers: NDArray[np.float64], cells: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Adds to the cells; gives fine bins and sums."""
        columns = numbers.T.take(self._columns, axis=0)
        places = np.empty(columns.shape, dtype=np.int64)
        for row, edges in enumerate(self._edges):
            places[row] = edges.searchsorted(columns[row])
        places += self._fine_at
        flat = places.ravel()
        fine = np.bincount(flat, minlength=self._fine)
        summed = np.where(np.abs(columns) <= _MAX_SUMMED, columns, 0.0)
        sums: NDArray[Any] = np.bincount(flat, summed.ravel(), self._fine)
        missing = np.count_nonzero(np.isnan(columns), axis=1)
        outside = np.count_nonzero((columns < self._low) | (columns > self._high), axis=1)
        fine[self._last] -= missing
        cells[self._bins] = np.add.reduceat(fine, self._begins)
        cells[self._missing] = missing
        cells[self._missing + 1] = outside
        return fine, sums


def _begins(part: NumericPart) -> NDArray[np.int64]:
    edges = np.searchsorted(part.baseline.fine_edges, part.baseline.edges)
    return part.fine_at + np.concatenate([[0], edges + 1])
