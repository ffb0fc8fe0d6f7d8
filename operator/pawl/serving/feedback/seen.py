"""Which tokens were counted already: about a million, common to the pod's processes, 8 MB.

A hash table of sets: a token's id says its set, in which it takes the place of the oldest of
WAYS. So memory is bounded, and what is forgotten first is old. After more than a million tokens a
repeated one may count again, and so it may at another pod or after a restart.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.serving.monitor.memory import Memory


class Seen:
    """The table in the pod's memory."""

    def __init__(self, memory: Memory) -> None:
        self._table: NDArray[np.uint64] = memory.seen
        self._descriptor = memory.descriptor

    def add(self, ids: Iterable[int]) -> list[bool]:
        """Remembers ids of 64 bits; says of each whether it was new. Two processes that are given
        the same token at once do not both find it new."""
        with self._lock():
            return [self._add(id_ or 1) for id_ in ids]

    def _add(self, id_: int) -> bool:
        row: Any = self._table[id_ % len(self._table)]
        if (row == np.uint64(id_)).any():
            return False
        row[1:] = row[:-1].copy()
        row[0] = id_
        return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Between processes; for as long as it takes to look up the tokens of one request."""
        if self._descriptor < 0:
            yield
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
