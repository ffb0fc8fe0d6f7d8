"""The hot path: remembers what was answered as a few numbers, and counts them many at a time.

What is remembered belongs to one second only: whatever comes after its end first makes the second
whole (`roll`). A timer does that for seconds in which nothing comes. So `closed` never lies, and a
dead process loses at most what it remembered of its last second.

Only numbers are remembered, no requests: what is held on to is memory that the next request cannot
use while the processor still has it at hand, which costs more than the counting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from math import floor
from operator import attrgetter
from time import perf_counter, time
from typing import Any, Protocol
from zlib import crc32

import numpy as np

from pawl.constants import HEADER_SALT, HEADER_USER
from pawl.serving.codec.base import Feed, Predictions
from pawl.serving.counters import LATENCY, Counters
from pawl.serving.monitor import features
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.features import Features
from pawl.serving.monitor.memory import Cells, Memory
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.sample import Sample
from pawl.serving.scored import Answering, Asked
from pawl.stats import loghist

LOGGER = logging.getLogger(__name__)
#: Numbers of one sort that are remembered before they are counted.
MAX_REMEMBERED = 512
_MAX_KNOWN_USERS = 4096
#: Seconds after which a process that was held up counts rows in the step that lasts: others may
#: have told the one in which they came (see `snapshot`, which waits for 5).
_LATE = 3
_USER, _SALT = HEADER_USER.encode(), HEADER_SALT.encode()
_UPPERS = np.array(loghist.UPPERS)
_BOUNDS = np.array(LATENCY.bounds)


class Job(features.Job, Protocol):
    """A request that was scored, here or elsewhere."""

    @property
    def reply(self) -> Answering:
        """Where the answer goes."""


class Recorder:
    """Counts what one process answers, in its block of the memory."""

    def __init__(
        self,
        memory: Memory,
        counters: Counters,
        *,
        warm_up: float = 60.0,
        pair_by_body: bool = False,
        wall: Callable[[], float] = time,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Latencies of the first `warm_up` seconds with a model are not counted. Where a copy of a
        request has another id, its body tells what it is a copy of (`pair_by_body`)."""
        self.memory = memory
        self._counters = counters
        self._warm_up = warm_up
        self._wall = wall
        self._clock = clock
        self._scores: Scores | None = None
        self._features: Features | None = None
        self._labelled = False
        self._timer: asyncio.TimerHandle | None = None
        # What is remembered, of the second that lasts.
        self._latencies: list[float] = []
        self._failures: list[tuple[int, float]] = []  # status, seconds
        self._users: list[tuple[int, bool]] = []
        self._said: list[Any] = []
        self._rows = 0
        self._sealed = 0  # rows with a feedback token
        self._sample = Sample()
        self._paired_by: Callable[[Asked], bytes | None] = attrgetter(
            "body" if pair_by_body else "request_id"
        )
        self._buckets: dict[tuple[bytes, bytes], int] = {}
        self._mature: float = float("inf")
        memory.mine["mature"] = self._mature
        self._second = 0
        self._end = 0.0
        self._begin()

    def install(self, scores: Scores, features: Features | None = None) -> None:
        """There is a model from now on."""
        self._scores = scores
        self._features = features
        self._labelled = scores.counts_labels
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
        self, jobs: Sequence[Job], feed: Feed, said: Predictions, rows: int, sealed: int = 0
    ) -> None:
        """A batch (what the model was fed, and said) has just been answered, `sealed` of its rows
        with feedback tokens. Its end counts as the end of all of them."""
        now = self._clock()
        if now >= self._end:
            self.roll()
        found = said.labels if self._labelled else said.values
        if found is not None:
            self._said += found
        self._rows += rows
        self._sealed += sealed
        latencies, limit, paired_by = self._latencies, self._sample.limit, self._paired_by
        row = 0
        for job in jobs:
            request = job.reply.request
            latencies.append(now - request.started)
            name = paired_by(request)
            if name is not None and crc32(name) <= limit:
                self._keep(request, name, 200, now, said, row)
            if _USER in request.headers:
                self._users.append((self._bucket(request.headers), False))
            row += job.rows.size
        if len(latencies) >= MAX_REMEMBERED or len(self._said) >= MAX_REMEMBERED:
            self._settle()
        if self._features is not None:
            self._features.answered(jobs, feed, said, rows, self._second)

    def failed(self, request: Asked, status: int) -> None:
        """A request is being answered with another status than 200."""
        now = self._clock()
        if now >= self._end:
            self.roll()
        self._failures.append((status, now - request.started))
        name = self._paired_by(request)
        if name is not None and crc32(name) <= self._sample.limit:
            self._keep(request, name, status, now)
        if _USER in request.headers:
            self._users.append((self._bucket(request.headers), status >= 500))
        if len(self._failures) >= MAX_REMEMBERED:
            self._settle()

    def second(self) -> int:
        """The second in which something is counted now."""
        self.roll()
        return self._second

    def exposition(self) -> Iterable[str]:
        """The lines for Prometheus of what all processes counted."""
        self.flush()
        return self._features.exposition() if self._features is not None else ()

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
        self._settle()
        if self._features is not None:
            late = self._clock() > self._end + _LATE
            self._features.flush(floor(self._wall()) if late else self._second)

    def _settle(self) -> None:
        """All but the features. Whatever goes wrong here, requests are answered."""
        if not (self._latencies or self._failures):
            return
        try:
            self._count(self.memory.cells(self._second))
        except Exception:
            LOGGER.exception("the monitor could not count")
        self._latencies, self._failures, self._users, self._said = [], [], [], []
        self._rows = self._sealed = 0

    def _count(self, rows: tuple[Cells, Cells]) -> None:
        failures = self._failures
        for cells in rows:
            totals = cells.totals
            totals[m.ROWS] += self._rows
            totals[m.PREDICTIONS] += self._sealed
            totals[m.REQUESTS] += len(self._latencies) + len(failures)
            totals[m.ERRORS] += sum(status >= 500 for status, _ in failures)
            totals[m.REFUSED] += sum(status < 500 for status, _ in failures)
        for _, seconds in failures:
            self._counters.observe(LATENCY, seconds)
        if self._latencies:
            self._count_latencies(rows)
        if self._users:
            self._count_users(rows)
        if self._said and self._scores is not None:
            self._scores.count(self._said, rows)

    def _count_latencies(self, rows: tuple[Cells, Cells]) -> None:
        """Of answers: an error that comes quickly makes nothing quicker."""
        seconds = np.array(self._latencies)
        bins = np.bincount(np.searchsorted(_BOUNDS, seconds), minlength=len(_BOUNDS) + 1)
        self._counters.add(LATENCY, bins.tolist(), float(seconds.sum()))
        if self._second < self._mature:
            return
        counts = np.bincount(np.searchsorted(_UPPERS, seconds), minlength=loghist.SIZE)
        for cells in rows:
            np.add(cells.latency, counts, out=cells.latency, casting="unsafe")

    def _count_users(self, rows: tuple[Cells, Cells]) -> None:
        buckets, errors = zip(*self._users, strict=True)
        counts = np.bincount(buckets, minlength=m.BUCKETS)
        failed = np.bincount(buckets, errors, m.BUCKETS)
        for cells in rows:
            cells.totals[m.USERS] += len(buckets)
            np.add(cells.users[:, 0], counts, out=cells.users[:, 0], casting="unsafe")
            np.add(cells.users[:, 1], failed, out=cells.users[:, 1], casting="unsafe")

    def _keep(
        self,
        request: Asked,
        name: bytes,
        status: int,
        now: float,
        said: Predictions | None = None,
        row: int = 0,
    ) -> None:
        if self._scores is not None:
            label, value = self._scores.pair(said, row)
            self._sample.add(name, label, value, now - request.started, status)

    def _bucket(self, headers: Mapping[bytes, bytes]) -> int:
        """The same in all servers, and not to be foreseen by who does not know the salt."""
        user, salt = headers[_USER], headers.get(_SALT, b"")
        known = self._buckets
        bucket = known.get((salt, user))
        if bucket is None:
            if len(known) >= _MAX_KNOWN_USERS:
                known.clear()
            hash_ = blake2b(user, digest_size=8, key=salt[:64]).digest()
            bucket = known[salt, user] = int.from_bytes(hash_, "big") % m.BUCKETS
        return bucket
