"""A keyed work queue: a key is worked on by one worker at a time, is queued once however often it
is added, and comes back later with growing delays when its work failed (as client-go's)."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections import OrderedDict
from contextlib import suppress
from typing import NamedTuple

from pawl.control.metrics import QUEUE_WAITS, RETRIES


class Key(NamedTuple):
    """One of our objects."""

    kind: str
    namespace: str
    name: str


_FIRST_DELAY = 0.2


class Queue:
    """Not for more than one event loop. What is added while it is closed is forgotten: an operator
    that stands by for days must not remember all that ever was. Who opens it adds all there is."""

    def __init__(self, *, closed: bool = False) -> None:
        self._closed = closed
        # Since when, by the clock of the event loop.
        self._ready: OrderedDict[Key, float] = OrderedDict()
        self._working: dict[Key, float] = {}
        self._again: set[Key] = set()  # added while worked on
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, float] = {}
        self._timers: list[tuple[float, Key]] = []
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready) + len(self._again)

    @property
    def ready(self) -> bool:
        """Whether there is a key to work on at once."""
        return bool(self._ready)

    def open(self) -> None:
        """From now on what is added is remembered."""
        self._closed = False

    def delayed(self) -> int:
        """How many keys are to come back later."""
        return len(self._due)

    def oldest_wait(self) -> float:
        """Seconds for which the key that is next has been waiting; 0 when none is."""
        return _since(next(iter(self._ready.values()), None))

    def longest_work(self) -> float:
        """Seconds for which a key has been worked on, the longest of all; 0 when none is."""
        return _since(min(self._working.values(), default=None))

    def add(self, key: Key) -> None:
        """Work on it as soon as possible."""
        if self._closed:
            return
        if key in self._working:
            self._again.add(key)
        else:
            self._ready.setdefault(key, asyncio.get_running_loop().time())
            self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on it in `seconds`, or when it is due anyway, whichever is sooner."""
        if seconds <= 0:
            self.add(key)
            return
        due = asyncio.get_running_loop().time() + seconds
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._timers, (due, key))
            self._wake.set()

    def retry(self, key: Key, most: float = 120.0) -> float:
        """Work on it again after a delay that grows with every failure, to `most` seconds; gives
        the delay."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        RETRIES.labels(key.kind).inc()
        delay = min(_FIRST_DELAY * 2.0 ** min(count, 12), most)
        delay *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, keeps no secret
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """The work succeeded: the next failure starts with the first delay."""
        self._failures.pop(key, None)

    def drop(self, key: Key) -> None:
        """The object is gone."""
        self.forget(key)
        self._due.pop(key, None)

    async def get(self, seconds: float | None = None) -> Key | None:
        """The next key; call `done` with it afterwards. None when there is none for `seconds`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds if seconds is not None else math.inf
        while True:
            self._release_due()
            if self._ready:
                key, since = self._ready.popitem(last=False)
                self._working[key] = asyncio.get_running_loop().time()
                QUEUE_WAITS.observe(self._working[key] - since)
                return key
            if loop.time() >= until:
                return None
            self._wake.clear()
            next_due = self._timers[0][0] if self._timers else math.inf
            when = min(until, next_due)
            # not wait_for: in Python 3.11 it swallows a cancellation that comes with a wake-up
            with suppress(TimeoutError):
                async with asyncio.timeout_at(when if when < math.inf else None):
                    await self._wake.wait()

    def done(self, key: Key) -> None:
        """The work on a key ended, well or not."""
        self._working.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _release_due(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._timers and self._timers[0][0] <= now:
            due, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)


def _since(moment: float | None) -> float:
    return asyncio.get_running_loop().time() - moment if moment is not None else 0.0
