"""The keyed work queue that all controllers share.

A key is in the queue at most once; a key added again while it is worked on is worked on again
afterwards. Failures come back after 5 ms doubling to 60 s (client-go's rate limiter starts alike
but goes to 1,000 s: too long for somebody at a laptop). Delays keep the earliest time asked for.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY = 0.005
LAST_RETRY = 60.0


class WorkQueue(Generic[K]):
    """Not thread-safe: it lives on one event loop."""

    def __init__(self) -> None:
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._delayed: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._serial = count()
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: K) -> None:
        self._ready.setdefault(key)
        self._woken.set()

    def add_after(self, key: K, delay: float) -> None:
        due = asyncio.get_running_loop().time() + max(delay, 0.0)
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._serial), key))
        self._woken.set()

    def retry(self, key: K) -> float:
        """Put a key that failed back; returns in how many seconds it comes."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_RETRY * 2.0 ** min(failures, 20), LAST_RETRY)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure starts over with the shortest delay."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; waits until one is ready or due."""
        loop = asyncio.get_running_loop()
        while True:
            self._ripen(loop.time())
            if self._ready:
                return self._ready.popitem(last=False)[0]
            self._woken.clear()
            wait = self._delayed[0][0] - loop.time() if self._delayed else None
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _ripen(self, now: float) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:  # else an earlier time replaced this one
                del self._due[key]
                self._ready.setdefault(key)
