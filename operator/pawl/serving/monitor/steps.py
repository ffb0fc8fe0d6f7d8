"""Cells by the second, and fine bins by steps of ten, in the memory that the pod's processes share.

Each process has a block: a ring of seconds, a ring of steps, and sums over all time. A numeric
feature takes 50 bytes of a second and 1 KB of a step; what was never touched takes no memory. A
process that replaces a dead one goes on in its block. Which seconds are whole, `memory` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import Memory

#: Seconds of a step of fine bins.
STEP: Final = 10
#: Seconds that can be asked for; the rings are a little longer.
TOLD: Final = 1200
_SECONDS: Final = STEP * m.RING
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
    row = np.dtype([("sums", "f8", (fine,)), ("fine", "u4", (fine,))], align=True)
    # The times are apart: looking for them must not touch memory that was never used.
    return np.dtype(
        [
            ("second_at", "i8", _SECONDS),
            ("step_at", "i8", m.RING),
            ("total", "u8", (width,)),
            ("steps", row, m.RING),
            ("seconds", "u4", (_SECONDS, 1 + width)),  # rows, cells
            ("groups", "u4", (_SECONDS, m.GROUPS + 1, 2)),  # the last: all other groups
        ]
    )


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
        """Counts rows in a second and in its step."""
        cells, by_group = self._second(second)
        cells[0] += rows
        _add(cells[1:], counts.cells)
        for name, tally in groups.items():
            place, _ = m.place_of(self._memory.mine["groups"], name, second)
            by_group[m.GROUPS if place is None else place] += np.array(tally, dtype="u4")
        row = self._step(second // STEP * STEP)
        _add(row["fine"], counts.fine)
        _add(row["sums"], counts.sums)
        _add(self._mine["total"], counts.cells)

    def _second(self, second: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        index, times = second % _SECONDS, self._mine["second_at"]
        found = self._mine["seconds"][index], self._mine["groups"][index]
        if times[index] != second:
            for array in found:
                array.fill(0)
            times[index] = second
        return found

    def _step(self, start: int) -> Any:
        index = start // STEP % m.RING
        row, times = self._mine["steps"][index], self._mine["step_at"]
        if times[index] != start:
            for name in row.dtype.names:
                row[name] = 0
            times[index] = start
        return row

    def totals(self) -> NDArray[np.uint64]:
        """The cells since the pod began [width]."""
        total: NDArray[np.uint64] = self._blocks["total"].sum(axis=0)
        return total

    def cells(
        self, start: int, stop: int, step: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Of [start, stop) by so many seconds: rows [steps], cells [steps, width]."""
        total = np.zeros(((stop - start) // step, 1 + self._width), dtype=np.uint32)
        for block in self._blocks:
            chosen = _chosen(block["second_at"], start, stop)
            at = (block["second_at"][chosen] - start) // step
            np.add.at(total, at, block["seconds"][chosen])
        return total[:, 0], total[:, 1:]

    def fine(self, start: int, stop: int) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Fine bins and the sums of the values in them [fine], over the steps in [start, stop)."""
        counts = np.zeros(self._fine, dtype=np.uint32)
        sums = np.zeros(self._fine)
        for block in self._blocks:
            for index in _chosen(block["step_at"], start, stop).tolist():
                row = block["steps"][index]
                counts += row["fine"]
                sums += row["sums"]
        return counts, sums

    def groups(self, start: int, stop: int) -> tuple[dict[str, list[int]], list[int]]:
        """[n, positive] by group, and of all other groups, over the seconds [start, stop)."""
        others = np.zeros(2, dtype=np.int64)
        found: dict[str, NDArray[np.int64]] = {}
        for block, base in zip(self._blocks, self._memory.blocks, strict=True):
            chosen = _chosen(block["second_at"], start, stop)
            tallies = block["groups"][chosen].sum(axis=0, dtype=np.int64)
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


def _chosen(times: NDArray[np.int64], start: int, stop: int) -> NDArray[np.intp]:
    return np.flatnonzero((times >= start) & (times < stop))
