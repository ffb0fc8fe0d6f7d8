"""Adaptive micro-batching: what arrives while the model is busy is scored together.

A request that finds the model idle is scored as soon as the event loop has read what else has
arrived already, so a lone client never waits. Requests that arrive in the same turn, or while a
batch is being computed, form the next batch, up to `max_rows`. With `max_delay` > 0 a batch may
also wait for company, but only when the batch before had any: for at most `max_delay`, and no
longer than it takes until as many requests are there as then. So there is no added delay at low
load.

A short batch (by the measured cost per row) runs on the event loop, because a thread would cost
more than it brings; a long one runs in a thread, so that health checks are answered meanwhile.
The queue is bounded: beyond `max_waiting` requests, `max_waiting_rows` rows, or `max_wait` seconds
of work at the measured cost, OverloadedError.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, NamedTuple, Protocol, TypeVar

from pawl.serving.codec import Feed, Outputs, Rows
from pawl.serving.codec.base import join
from pawl.serving.errors import OverloadedError

#: Seconds that a batch may hold up the event loop.
INLINE_SECONDS = 0.005


class Job(Protocol):
    """A request that waits to be scored."""

    rows: Rows

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the answer any more."""

    def fail(self, error: Exception) -> None:
        """The model failed on this job's rows."""


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a `Batcher`; `max_delay` and `max_wait` are in seconds."""

    max_rows: int
    max_delay: float
    max_waiting: int
    max_waiting_rows: int
    max_wait: float


class Batcher(Generic[J]):
    """Gathers jobs, runs `score` on joined rows, and hands the outputs to `deliver`."""

    def __init__(
        self,
        score: Callable[[Feed], Outputs],
        deliver: Callable[[list[J], Feed, Outputs, float], None],
        limits: Limits,
        seconds_per_row: float,
    ) -> None:
        """`deliver(jobs, feed, outputs, seconds)` gets the jobs in the order of the rows of what
        the model was fed."""
        self._score = score
        self._deliver = deliver
        self._limits = limits
        self._seconds_per_row = seconds_per_row
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[J] = deque()
        self._rows = 0
        self._busy = False
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._company = 1
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pawl-model")

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def admit(self, rows: int = 1) -> None:
        """OverloadedError when no request of that many rows can be queued now. To be asked before a
        request is decoded too, so that turning requests away stays cheap."""
        waiting = self._waiting
        if not waiting:
            return
        limits = self._limits
        rows += self._rows
        if (
            len(waiting) >= limits.max_waiting
            or rows > limits.max_waiting_rows
            or rows * self._seconds_per_row > limits.max_wait
        ):
            raise OverloadedError(
                f"{len(waiting)} requests with {self._rows} rows are waiting already",
                retry_after=max(1, round(self._rows * self._seconds_per_row)),
            )

    def submit(self, job: J) -> None:
        """Queues a job; OverloadedError as `admit`."""
        self.admit(job.rows.size)
        waiting = self._waiting
        limits = self._limits
        rows = self._rows + job.rows.size
        waiting.append(job)
        self._rows = rows
        if self._busy or self._scheduled:
            return
        if limits.max_delay and self._company > 1:
            if len(waiting) < self._company and rows < limits.max_rows:
                if self._timer is None:
                    self._timer = self._loop.call_later(limits.max_delay, self._next)
                return
            if self._timer is not None:
                self._timer.cancel()
        self._scheduled = True
        self._loop.call_soon(self._next)

    def close(self) -> None:
        """Ends the thread; nothing may be submitted any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> None:
        """Scores the next batch, if any."""
        self._scheduled = False
        self._timer = None
        jobs = self._take()
        if not jobs:
            return
        self._company = len(jobs)
        rows = sum(job.rows.size for job in jobs)
        if rows * self._seconds_per_row <= INLINE_SECONDS:
            self._finish(_scored(self._score, jobs))
            return
        self._busy = True
        self._thread.submit(_scored, self._score, jobs).add_done_callback(
            lambda future: self._loop.call_soon_threadsafe(self._threaded, future)
        )

    def _take(self) -> list[J]:
        """As many of the oldest jobs as fit into one batch (at least one)."""
        waiting = self._waiting
        jobs: list[J] = []
        rows = 0
        while waiting:
            job = waiting[0]
            count = job.rows.size
            if jobs and (rows + count > self._limits.max_rows or job.rows.key != jobs[0].rows.key):
                break
            waiting.popleft()
            self._rows -= count
            if not job.abandoned:
                jobs.append(job)
                rows += count
        return jobs

    def _threaded(self, future: Future[list[Scored[J]]]) -> None:
        self._busy = False
        self._finish(future.result())

    def _finish(self, batches: list[Scored[J]]) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next)
        for jobs, feed, result, seconds in batches:
            if isinstance(result, Exception):
                jobs[0].fail(result)
                continue
            rows = sum(job.rows.size for job in jobs)
            self._learn(seconds / rows)
            self._deliver(jobs, feed, result, seconds)

    def _learn(self, seconds_per_row: float) -> None:
        """Quicker is believed at once; slower only if it lasts (it may be another process's
        doing)."""
        change = seconds_per_row - self._seconds_per_row
        self._seconds_per_row += change * (0.5 if change < 0 else 0.05)


class Scored(NamedTuple, Generic[J]):
    """Jobs that were scored together, and in how many seconds; one job when it failed."""

    jobs: list[J]
    feed: Feed
    result: Outputs | Exception
    seconds: float


def _scored(score: Callable[[Feed], Outputs], jobs: list[J]) -> list[Scored[J]]:
    """One request's rows must not fail the others': when a batch fails, each job is scored
    alone."""
    start = perf_counter()
    feed: Feed = {}
    try:
        feed = join([job.rows.feed for job in jobs])
        outputs = score(feed)
    except Exception as error:
        if len(jobs) > 1:
            return [scored for job in jobs for scored in _scored(score, [job])]
        return [Scored(jobs, feed, error, perf_counter() - start)]
    return [Scored(jobs, feed, outputs, perf_counter() - start)]
