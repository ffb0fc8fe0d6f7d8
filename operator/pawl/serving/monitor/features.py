"""The hot path of cells: rows that were answered are copied into a buffer, and counted many at a
time. What is in the buffer belongs to one second (see `recorder`)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pawl.serving.codec.base import Feed, Predictions, Rows
from pawl.serving.monitor.cells import CategoryPart, Layout, NumericPart
from pawl.serving.monitor.counting import Table
from pawl.serving.monitor.exposition import lines
from pawl.serving.monitor.steps import Steps
from pawl.serving.monitor.texts import Tally

LOGGER = logging.getLogger(__name__)
#: Rows that are kept before they are counted: as many numbers as are sorted without a branch.
CAPACITY: Final = 256


class Asked(Protocol):
    """An infer request as it was read."""

    @property
    def group(self) -> str | None:
        """Of its rows."""


class Job(Protocol):
    """A request that was scored."""

    @property
    def rows(self) -> Rows:
        """Its inputs."""

    @property
    def request(self) -> Asked:
        """What was asked."""


class Features:
    """Counts the rows that one process answers."""

    def __init__(self, layout: Layout, steps: Steps) -> None:
        self._layout = layout
        self._steps = steps
        self._table = Table(layout)
        self._held = _Held(CAPACITY, layout, self._table.tally())

    def answered(
        self, jobs: Sequence[Job], feed: Feed, said: Predictions, rows: int, second: int
    ) -> None:
        """A batch of so many rows, what the model was fed, and said. Whatever goes wrong here,
        requests are answered."""
        try:
            held = self._held
            if rows > CAPACITY:
                held = _Held(rows, self._layout, self._table.tally())
            elif held.rows + rows > CAPACITY:
                self._count(held, second)
            held.put(jobs, feed, said, rows)
            if held is not self._held:
                self._count(held, second)
        except Exception:
            self._failed()

    def flush(self, second: int) -> None:
        """Counts what is kept, in this second."""
        if not self._held.rows:
            return
        try:
            self._count(self._held, second)
        except Exception:
            self._failed()

    def exposition(self) -> Iterable[str]:
        """The lines for Prometheus of what all processes counted."""
        return lines(self._layout, self._steps.totals())

    def _count(self, held: _Held, second: int) -> None:
        held.finish()
        for start in range(0, held.rows, CAPACITY):
            stop = min(start + CAPACITY, held.rows)
            counts = self._table.count(held.numbers[start:stop], held.labels[start:stop])
            if start == 0 and held.categories is not None:
                counts.cells[:] += held.categories.take()
            groups = held.take_groups() if start == 0 else {}
            self._steps.add(second, stop - start, counts, groups)
        held.clear()

    def _failed(self) -> None:
        LOGGER.exception("the monitor could not count features")
        self._held.clear()


class _Held:
    """Rows as a layout wants them."""

    def __init__(self, size: int, layout: Layout, categories: Tally | None) -> None:
        self._numeric = layout.numeric
        self.categories = categories
        columns = [part.column for part in layout.parts if isinstance(part, CategoryPart)]
        # A slice copies nothing, and nearly always all are counted.
        every = columns == list(range(layout.categorical))
        self._columns = slice(None) if every else columns
        self._scored = isinstance(layout.prediction, NumericPart)
        self._positive = layout.positive
        self.rows = 0
        self.numbers: NDArray[np.float64] = np.full((size, layout.numeric + 1), np.nan)
        self.labels: list[Any] = []
        self._groups: list[tuple[str, bool]] = []

    def put(self, jobs: Sequence[Job], feed: Feed, said: Predictions, rows: int) -> None:
        """There must be room for them."""
        at, stop = self.rows, self.rows + rows
        if self._numeric:
            self.numbers[at:stop, : self._numeric] = feed["numeric"]
        if self.categories is not None:
            self.categories.put(feed["categorical"][:, self._columns].ravel().tolist())
        if self._scored:
            self.numbers[at:stop, self._numeric] = said.values
        elif said.labels is not None:
            self.labels += said.labels
        if self._positive is not None and said.labels is not None:
            self._group(jobs, said.labels)
        self.rows = stop

    def _group(self, jobs: Sequence[Job], labels: list[Any]) -> None:
        groups = [job.request.group for job in jobs]
        if not any(groups):
            return
        start = 0
        for job, group in zip(jobs, groups, strict=True):
            stop = start + job.rows.size
            if group is not None:
                self._groups += [
                    (group, label == self._positive)
                    for label in labels[start:stop]
                    if label is not None
                ]
            start = stop

    def finish(self) -> None:
        """No more rows will come before they are counted."""
        scores = self.numbers[: self.rows, self._numeric]
        scores[np.isinf(scores)] = np.nan

    def take_groups(self) -> dict[str, tuple[int, int]]:
        """What was predicted by group; none is left."""
        found: dict[str, tuple[int, int]] = {}
        for (group, positive), count in Counter(self._groups).items():
            n, positives = found.get(group, (0, 0))
            found[group] = n + count, positives + positive * count
        self._groups = []
        return found

    def clear(self) -> None:
        self.rows = 0
        self.labels = []
        if self.categories is not None:
            self.categories.clear()
        self._groups = []
