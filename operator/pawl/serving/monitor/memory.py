"""The monitor's memory: one block a process, in each a ring of seconds and a ring of minutes.

A process writes only to its own block; whoever is asked sums over all. A row is counted up while
its second lasts and never changes afterwards: `closed` says up to which second (exclusive) that
holds, so what readers sum is whole. A process that replaces a dead one goes on in its block.
"""

from __future__ import annotations

import mmap
import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pawl.stats import loghist, valuehist

#: Closed seconds and minutes that can be asked for; the rings are a little longer.
SECONDS: Final = 120
MINUTES: Final = 120
RING: Final = 128
#: Pairs kept of a second, and buckets of users.
SAMPLE: Final = 64
BUCKETS: Final = 512
#: Bins or categories of predictions; with more categories, the rest counts as other.
SCORES: Final = 256
#: Places in `totals`.
REQUESTS, ERRORS, REFUSED, ROWS, PREDICTIONS, USERS = range(6)

ROW: Final = np.dtype(
    [
        ("at", "i8"),  # the second, or the minute's first; 0: never used
        ("totals", "u4", 6),
        ("latency", "u4", loghist.SIZE),
        ("scores", "u4", SCORES),
        ("values", "u4", valuehist.SIZE),
        ("users", "u4", (BUCKETS, 2)),  # requests, errors
    ]
)
PAIR: Final = np.dtype(
    [
        ("hash", "u8"),
        ("label", "i8"),  # NO_LABEL: none
        ("value", "f8"),  # NaN: none
        ("latency", "f8"),
        ("status", "i8"),
    ]
)
NO_LABEL: Final = -(2**63)
#: Bytes of a block for what is as wide as the model (see `steps`).
WIDE: Final = 48 << 20
#: Sets and ways of the table of tokens that were counted.
SEEN: Final = (2**16, 16)
PAIRS: Final = np.dtype([("at", "i8"), ("count", "i8"), ("pairs", PAIR, SAMPLE)])
#: Versions and groups whose feedback a process counts apart.
VERSIONS: Final = 6
GROUPS: Final = 16
#: Ages of predictions: less than one minute, then doubling.
AGES: Final = 17
PERCENTS: Final = 101
#: Bins of `valuehist.LOG` from zero up.
ERROR_BINS: Final = valuehist.SIZE // 2 + 1
FIRST_ERROR_BIN: Final = valuehist.SIZE - ERROR_BINS
#: Of some predictions: how many, then how many were wrong and 0, or the sums of |error|, error².
TALLY: Final = 3
#: Of binary predictions: predicted and true, predicted only, true only, neither.
CONFUSION: Final = ("tp", "fp", "fn", "tn")
FEEDBACK: Final = np.dtype(
    [
        ("late", "f8"),
        ("all", "f8", TALLY),
        ("ages", "f8", (AGES, TALLY)),
        ("weights", "f8", (PERCENTS, TALLY)),
        ("groups", "f8", (GROUPS + 1, TALLY)),  # the last: all other groups
        ("errors", "u4", ERROR_BINS),
        ("confusion", "f8", (GROUPS + 1, len(CONFUSION))),  # the first: all; no other groups
    ]
)
#: What a version predicts; None is counted of others.
LABELS, VALUES = range(2)
NAMES: Final = np.dtype([("name", "S256"), ("used", "i8"), ("kind", "i8")])
BLOCK: Final = np.dtype(
    [
        ("closed", "i8"),  # every second before it is whole
        ("mature", "f8"),  # from when on latencies count; infinite while there is no model
        ("seconds", ROW, RING),
        ("minutes", ROW, RING),
        ("sample", PAIRS, RING),
        ("versions", NAMES, VERSIONS),
        ("groups", NAMES, GROUPS),
        # By version, then seconds and minutes. The times are apart: looking for them must not
        # touch memory that was never used.
        ("feedback_at", "i8", (VERSIONS, 2, RING)),
        ("feedback", FEEDBACK, (VERSIONS, 2, RING)),
    ]
)


class Cells:
    """One row, its arrays at hand."""

    __slots__ = ("latency", "scores", "totals", "users", "values")

    def __init__(self, row: Any) -> None:
        self.totals: NDArray[np.uint32] = row["totals"]
        self.latency: NDArray[np.uint32] = row["latency"]
        self.scores: NDArray[np.uint32] = row["scores"]
        self.values: NDArray[np.uint32] = row["values"]
        self.users: NDArray[np.uint32] = row["users"]

    def clear(self) -> None:
        """Memory that was never touched stays so: most rows have no users, which take a third."""
        if self.totals[USERS]:
            self.users.fill(0)
        for array in (self.totals, self.latency, self.scores, self.values):
            array.fill(0)


class Memory:
    """The blocks of all processes; `mine` is that of this one."""

    def __init__(self, blocks: int = 1, index: int = 0, descriptor: int = -1) -> None:
        """Without a descriptor the memory is this process's alone; else its size is set here."""
        size = blocks * BLOCK.itemsize
        wide = size + SEEN[0] * SEEN[1] * 8
        wide += -wide % mmap.PAGESIZE
        whole = wide + blocks * WIDE
        if descriptor >= 0:
            os.ftruncate(descriptor, whole)
        mapped = mmap.mmap(descriptor, whole)
        self.descriptor = descriptor
        self.index = index
        self.blocks: NDArray[Any] = np.frombuffer(mapped, dtype=BLOCK, count=blocks)
        self.mine: Any = self.blocks[index]
        #: Of the pod: see `feedback.seen`.
        self.seen: NDArray[np.uint64] = np.frombuffer(
            mapped, "u8", SEEN[0] * SEEN[1], offset=size
        ).reshape(SEEN)
        self._wide = memoryview(mapped)[wide:]

    def wide(self, block: np.dtype[Any]) -> NDArray[Any]:
        """The part of all processes that is laid out for the model, at most WIDE bytes each. All
        processes serve the same one."""
        return np.frombuffer(self._wide, dtype=block, count=len(self.blocks))

    def cells(self, second: int) -> tuple[Cells, Cells]:
        """This process's row of a second and of its minute, empty when they are new."""
        return self._cells("seconds", second, 1), self._cells("minutes", second // 60 * 60, 60)

    def _cells(self, ring: str, at: int, step: int) -> Cells:
        row = self.mine[ring][at // step % RING]
        cells = Cells(row)
        if row["at"] != at:
            cells.clear()
            row["at"] = at
        return cells

    def keep(self, second: int, pairs: list[tuple[int, int, float, float, int]]) -> None:
        """The sample of a second; it replaces what the ring held in its place."""
        place = self.mine["sample"][second % RING]
        place["pairs"][: len(pairs)] = pairs
        place["count"] = len(pairs)
        place["at"] = second


def place_of(names: NDArray[Any], name: str, second: int) -> tuple[int | None, bool]:
    """Where a name is in a table of NAMES, and whether it is new there; None when there is no
    place. A new one takes the place of one that the rings no longer hold anything of."""
    encoded = name.encode()
    used = names["used"]
    found = np.flatnonzero(names["name"] == encoded)
    new = len(found) == 0
    if new:
        free = np.flatnonzero(used + 60 * RING < second)
        if len(free) == 0:
            return None, False
        found = free
        names[found[0]]["name"] = encoded
    place = int(found[0])
    names[place]["used"] = max(int(used[place]), second)
    return place, new
