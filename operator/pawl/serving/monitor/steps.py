"""Cells by steps of ten seconds, in the memory that the pod's processes share.

Each process has a block: a ring of steps, and sums over all time. A step's row is as wide as the
version has cells and fine bins, 1 KB a numeric feature; what was never touched takes no memory. A
process that replaces a dead one goes on in its block. Which steps are whole, `memory` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import Memory

#: Seconds of a step, and how many steps can be asked for.
STEP: Final = 10
TOLD: Final = 120
#: What is counted of a group, by place.
N, POSITIVE = range(2)
#: By group: how many predictions, and how many of them are of the positive class.
Groups = Mapping[str, tuple[int, int]]


class Counts(NamedTuple):
    """Of some rows: `cells` [width], `fine` bins and the `sums` of the values in them [fine]."""

    cells: NDArray[np.int64]
    fine: NDArray[np.int64]
    sums: NDArray[np.float64]


def block_type(width: int, fine: int) -> np.dtype[Any]:
    """One process's block."""
    row = np.dtype(
        [
            ("sums", "f8", (fine,)),
            ("fine", "u4", (fine,)),
            ("cells", "u4", (width,)),
            ("groups", "u4", (m.GROUPS + 1, 2)),  # the last: all other groups
            ("rows", "u4"),
        ],
        align=True,
    )
    # The times are apart: looking for them must not touch memory that was never used.
    return np.dtype([("at", "i8", m.RING), ("total", "u8", (width,)), ("steps", row, m.RING)])


def fits(width: int, fine: int) -> bool:
    """Whether there is room for so many cells and fine bins."""
    return block_type(width, fine).itemsize <= m.WIDE


class Steps:
    """The blocks of all processes; this one adds to its own."""

    def __init__(self, memory: Memory, width: int, fine: int) -> None:
        """As many cells and fine bins as `fits`."""
        self._width, self._fine = width, fine
        self._memory = memory
        self._blocks = memory.wide(block_type(width, fine))
        self._mine: Any = self._blocks[memory.index]

    def add(self, second: int, rows: int, counts: Counts, groups: Groups) -> None:
        """Counts rows in the step of a second."""
        row = self._row(second // STEP * STEP)
        row["rows"] += rows
        for name, tally in groups.items():
            place, _ = m.place_of(self._memory.mine["groups"], name, second)
            row["groups"][m.GROUPS if place is None else place] += np.array(tally, dtype="u4")
        for name, counted in counts._asdict().items():
            _add(row[name], counted)
        _add(self._mine["total"], counts.cells)

    def _row(self, start: int) -> Any:
        index = start // STEP % m.RING
        row, times = self._mine["steps"][index], self._mine["at"]
        if times[index] != start:
            for name in row.dtype.names:
                row[name] = 0
            times[index] = start
        return row

    def totals(self) -> NDArray[np.uint64]:
        """The cells since the pod began [width]."""
        total: NDArray[np.uint64] = self._blocks["total"].sum(axis=0)
        return total

    def cells(self, start: int, stop: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Of the steps in [start, stop): rows [steps], cells [steps, width]."""
        steps = (stop - start) // STEP
        rows = np.zeros(steps, dtype=np.uint32)
        cells = np.zeros((steps, self._width), dtype=np.uint32)
        for block in self._blocks:
            chosen = _chosen(block, start, stop)
            at = (block["at"][chosen] - start) // STEP
            rows[at] += block["steps"]["rows"][chosen]
            cells[at] += block["steps"]["cells"][chosen]
        return rows, cells

    def fine(self, start: int, stop: int) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Fine bins and the sums of the values in them [fine], over the steps in [start, stop)."""
        counts = np.zeros(self._fine, dtype=np.uint32)
        sums = np.zeros(self._fine)
        for block in self._blocks:
            for index in _chosen(block, start, stop).tolist():
                row = block["steps"][index]
                counts += row["fine"]
                sums += row["sums"]
        return counts, sums

    def groups(self, start: int, stop: int) -> tuple[dict[str, list[int]], list[int]]:
        """[n, positive] by group, and of all other groups, over the steps in [start, stop)."""
        others = np.zeros(2, dtype=np.int64)
        found: dict[str, NDArray[np.int64]] = {}
        for block, base in zip(self._blocks, self._memory.blocks, strict=True):
            chosen = _chosen(block, start, stop)
            tallies = block["steps"]["groups"][chosen].sum(axis=0, dtype=np.int64)
            others += tallies[m.GROUPS]
            for name, tally in zip(base["groups"]["name"].tolist(), tallies, strict=False):
                if tally[N]:
                    text = name.decode()
                    found[text] = found[text] + tally if text in found else tally
        # Processes may have seen different groups first; no more are told than one counts.
        by_size = sorted(found, key=lambda name: (-found[name][N], name))
        for name in by_size[m.GROUPS :]:
            others += found[name]
        return {name: found[name].tolist() for name in by_size[: m.GROUPS]}, others.tolist()


def _add(into: NDArray[Any], counts: NDArray[Any]) -> None:
    np.add(into, counts, out=into, casting="unsafe")


def _chosen(block: Any, start: int, stop: int) -> NDArray[np.intp]:
    times = block["at"]
    return np.flatnonzero((times >= start) & (times < stop))
