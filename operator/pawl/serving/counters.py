"""Numbers of the server in memory that its processes share: one block of doubles per process.

Each process adds to its own block only (one memory write, no lock); whoever is asked for /metrics
sums the blocks. A process that replaces a dead one goes on in the same block, so sums never fall.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

OPERATIONS: Final = ("infer", "feedback", "metadata", "health", "metrics", "other")
CODES: Final = (200, 400, 404, 405, 408, 413, 415, 417, 429, 431, 500, 501, 503)
#: Upper bounds in seconds, from one row in onnxruntime to a big batch in scikit-learn.
LATENCY_BOUNDS: Final = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
BATCH_BOUNDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0)

# What a process says of itself, in its block.
STATE_ABSENT, STATE_LOADING, STATE_READY, STATE_DRAINING = range(4)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Where a histogram lies in a block: len(bounds) + 1 counts, then the sum."""

    at: int
    bounds: tuple[float, ...]

    @property
    def size(self) -> int:
        return len(self.bounds) + 2

    @property
    def sum_at(self) -> int:
        return self.at + len(self.bounds) + 1


# The layout of a block.
_REQUESTS = 0
_after = len(OPERATIONS) * len(CODES)
LATENCY: Final = Histogram(_after, LATENCY_BOUNDS)
BATCH: Final = Histogram(LATENCY.at + LATENCY.size, BATCH_BOUNDS)
(
    IN_FLIGHT, WAITING, CONNECTIONS, ROWS, NON_FINITE, ENGINE_SECONDS, LOAD_SECONDS, STATE, PID,
    CAPTURED, FED_BACK, DROPPED_QUEUE, DROPPED_SPOOL, DROPPED_ERROR,
) = range(BATCH.at + BATCH.size, BATCH.at + BATCH.size + 14)  # fmt: skip
BLOCK: Final = DROPPED_ERROR + 1
_GAUGES = (IN_FLIGHT, WAITING, CONNECTIONS, LOAD_SECONDS, STATE, PID)
_CODE_INDEX = {code: index for index, code in enumerate(CODES)}
_OPERATION_AT = {name: _REQUESTS + i * len(CODES) for i, name in enumerate(OPERATIONS)}


def request_slot(operation: str, code: int) -> int:
    """Where answers of `operation` with `code` are counted; codes that are not in CODES count as
    500, so that the number of series is bounded."""
    return _OPERATION_AT[operation] + _CODE_INDEX.get(code, _CODE_INDEX[500])


class Counters:
    """The blocks of all processes; `mine` is the block of this one."""

    def __init__(self, blocks: int = 1, index: int = 0, descriptor: int = -1) -> None:
        """Without a descriptor (of `shared_memory`), the memory is this process's alone."""
        self._memory = memoryview(mmap.mmap(descriptor, blocks * BLOCK * 8)).cast("d")
        self._blocks = blocks
        start = index * BLOCK
        self.mine = self._memory[start : start + BLOCK]
        for slot in _GAUGES:
            # The state is the supervisor's to reset: it knows that a process will come.
            if slot != STATE:
                self.mine[slot] = 0.0
        self.mine[PID] = os.getpid()

    def observe(self, histogram: Histogram, value: float) -> None:
        """Adds one value to a histogram of this process."""
        mine = self.mine
        mine[histogram.at + bisect_left(histogram.bounds, value)] += 1.0
        mine[histogram.sum_at] += value

    def add(self, histogram: Histogram, counts: Sequence[int], sum_: float) -> None:
        """Adds many values at once, counted by the histogram's buckets."""
        mine = self.mine
        for place, count in enumerate(counts, histogram.at):
            mine[place] += count
        mine[histogram.sum_at] += sum_

    def total(self, slot: int) -> float:
        """The sum of a slot over all processes."""
        return sum(self._memory[block * BLOCK + slot] for block in range(self._blocks))

    def each(self, slot: int) -> list[float]:
        """A slot of every process."""
        return [self._memory[block * BLOCK + slot] for block in range(self._blocks)]

    def totals(self, slots: Iterable[int]) -> Sequence[float]:
        """`total` of several slots."""
        return [self.total(slot) for slot in slots]

    def expect(self, index: int) -> None:
        """A process will soon take connections, and answer them once it has its model."""
        self._memory[index * BLOCK + STATE] = STATE_LOADING

    def clear(self, index: int) -> None:
        """What a dead process can no longer say of itself."""
        for slot in _GAUGES:
            self._memory[index * BLOCK + slot] = 0.0

    @property
    def ready(self) -> bool:
        """Whether every process that takes connections can answer."""
        states = self.each(STATE)
        return (
            STATE_READY in states and STATE_LOADING not in states and STATE_DRAINING not in states
        )


def shared_memory(blocks: int) -> int:
    """A descriptor of zeroed memory for that many processes, to be inherited by them."""
    descriptor = os.memfd_create("pawl-counters", 0)
    os.ftruncate(descriptor, blocks * BLOCK * 8)
    return descriptor
