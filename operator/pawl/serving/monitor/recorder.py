"""The hot path: remembers what was answered in a list, and counts it many at a time.

What is remembered belongs to one second only: whatever comes after its end first makes the second
whole (`roll`). A timer does that for seconds in which nothing comes. So `closed` never lies, and a
dead process loses at most what it remembered of its last second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import floor
from time import perf_counter, time

import numpy as np

from pawl.constants import HEADER_SALT, HEADER_USER
from pawl.serving.codec.base import Prediction, Predictions
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import Cells, Memory
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.sample import Sample
from pawl.stats import loghist

#: Requests and rows that are remembered before they are counted.
MAX_REQUESTS = 256
MAX_ROWS = 2048
#: A batch larger than all that is remembered until it is answered, and no longer.
_HARD_LIMIT = 8 * MAX_REQUESTS
_MAX_KNOWN_USERS = 4096
_USER, _SALT, _ID = HEADER_USER.encode(), HEADER_SALT.encode(), b"x-request-id"
_UPPERS = np.array(loghist.UPPERS)

Headers = Mapping[bytes, bytes]


#: started, ended (by the clock), status, headers, first row. A plain tuple: it is made for every
#: request.
Answered = tuple[float, float, int, Headers, Prediction | None]


class Recorder:
    """Counts what one process answers, in its block of the memory."""

    def __init__(
        self,
        memory: Memory,
        *,
        warm_up: float = 60.0,
        wall: Callable[[], float] = time,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Latencies of the first `warm_up` seconds with a model are not counted."""
        self.memory = memory
        self._warm_up = warm_up
        self._wall = wall
        self._clock = clock
        self._scores: Scores | None = None
        self._answered: list[Answered] = []
        self._said: list[Predictions] = []
        self._rows = 0
        self._tokens = 0
        self._sample = Sample()
        self._buckets: dict[tuple[bytes, bytes], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._mature: float = float("inf")
        memory.mine["mature"] = self._mature
        self._second = 0
        self._end = 0.0
        self._begin()

    def install(self, scores: Scores) -> None:
        """There is a model from now on."""
        self._scores = scores
        self._mature = floor(self._wall() + self._warm_up)
        self.memory.mine["mature"] = self._mature

    def start(self) -> None:
        """Closes every second in time from now on. To be called on the event loop."""
        self.roll()
        pause = max(0.001, self._end - self._clock())
        self._timer = asyncio.get_running_loop().call_later(pause, self.start)

    def stop(self) -> None:
        """The last words."""
        if self._timer is not None:
            self._timer.cancel()
        self.roll()

    # -- the hot path

    def answered(
        self,
        started: float,
        ended: float,
        status: int,
        headers: Headers,
        said: Prediction | None,
    ) -> None:
        """An infer request was answered at `ended`, with `said` for its first row if there is an
        answer."""
        if ended >= self._end:
            self.roll()
        self._answered.append((started, ended, status, headers, said))
        if len(self._answered) >= _HARD_LIMIT:
            self.flush()

    def scored(self, said: Predictions, rows: int, tokens: int = 0) -> None:
        """A batch was scored and is about to be answered."""
        if len(self._answered) >= MAX_REQUESTS or self._rows >= MAX_ROWS:
            self.flush()
        if self._clock() >= self._end:
            self.roll()
        self._said.append(said)
        self._rows += rows
        self._tokens += tokens

    # -- counting

    def roll(self) -> None:
        """Makes the second whole that is over, if it is."""
        if self._clock() < self._end:
            return
        self.flush()
        pairs = self._sample.take()
        if pairs:
            self.memory.keep(self._second, pairs)
        self._begin()

    def _begin(self) -> None:
        """The clocks are compared anew every second: the wall's may be set."""
        now, wall = self._clock(), self._wall()
        self._second = floor(wall)
        self._end = now + (self._second + 1 - wall)
        self.memory.mine["closed"] = self._second

    def flush(self) -> None:
        """Counts what is remembered."""
        if not self._answered and not self._said:
            return
        rows = self.memory.cells(self._second)
        for cells in rows:
            cells.totals[m.ROWS] += self._rows
            cells.totals[m.PREDICTIONS] += self._tokens
        if self._said and self._scores is not None:
            self._scores.count(self._said, rows)
        if self._answered:
            self._count(self._answered, rows)
        self._answered, self._said, self._rows, self._tokens = [], [], 0, 0

    def _count(self, answered: list[Answered], rows: tuple[Cells, Cells]) -> None:
        started, ended, statuses, headers, _ = zip(*answered, strict=True)
        count = len(answered)
        errors = refused = 0
        if statuses.count(200) != count:
            errors = sum(status >= 500 for status in statuses)
            refused = sum(400 <= status < 500 for status in statuses)
        for cells in rows:
            cells.totals[m.REQUESTS] += count
            cells.totals[m.ERRORS] += errors
            cells.totals[m.REFUSED] += refused
        if self._second >= self._mature:
            seconds = np.array(ended) - np.array(started)
            if errors or refused:  # an error that comes quickly makes nothing quicker
                seconds = seconds[np.array(statuses) == 200]
            buckets = np.bincount(np.searchsorted(_UPPERS, seconds), minlength=loghist.SIZE)
            for cells in rows:
                np.add(cells.latency, buckets, out=cells.latency, casting="unsafe")
        self._pairs(answered, headers)
        users = [found.get(_USER) for found in headers]
        if users.count(None) != count:
            self._users(answered, rows)

    def _pairs(self, answered: list[Answered], headers: tuple[Headers, ...]) -> None:
        scores = self._scores
        if scores is None:
            return
        chosen = self._sample.choose([found.get(_ID) for found in headers])
        for place, hash_ in chosen:
            started, ended, status, _, said = answered[place]
            label, value = scores.pair(said)
            self._sample.add((hash_, label, value, ended - started, status))

    def _users(self, answered: list[Answered], rows: tuple[Cells, Cells]) -> None:
        users = [
            (self._bucket(headers.get(_SALT, b""), user), status >= 500)
            for _, _, status, headers, _ in answered
            if (user := headers.get(_USER)) is not None
        ]
        buckets, errors = zip(*users, strict=True)
        counts = np.bincount(buckets, minlength=m.BUCKETS)
        failed = np.bincount(buckets, errors, m.BUCKETS)
        for cells in rows:
            cells.totals[m.USERS] += len(users)
            np.add(cells.users[:, 0], counts, out=cells.users[:, 0], casting="unsafe")
            np.add(cells.users[:, 1], failed, out=cells.users[:, 1], casting="unsafe")

    def _bucket(self, salt: bytes, user: bytes) -> int:
        """The same in all servers, and not to be foreseen by who does not know the salt."""
        known = self._buckets
        bucket = known.get((salt, user))
        if bucket is None:
            if len(known) >= _MAX_KNOWN_USERS:
                known.clear()
            hash_ = blake2b(user, digest_size=8, key=salt[:64]).digest()
            bucket = known[salt, user] = int.from_bytes(hash_, "big") % m.BUCKETS
        return bucket
