"""What is scored together, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from pawl.serving.batching import Batcher, Limits
from pawl.serving.codec import Feed, Outputs, Rows
from pawl.serving.errors import OverloadedError

FAST, SLOW = 1e-6, 1.0
WIDE = Limits(max_rows=64, max_delay=0.0, max_waiting=100, max_waiting_rows=1000, max_wait=1e9)


@dataclass
class FakeJob:
    rows: Rows
    abandoned: bool = False
    errors: list[Exception] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


def job(*values: float, key: int = 0) -> FakeJob:
    return FakeJob(Rows({"x": np.array(values)}, len(values), (key,)))


class Harness:
    """A batcher whose model doubles what it is fed, and what it delivered."""

    def __init__(
        self,
        limits: Limits = WIDE,
        seconds_per_row: float = FAST,
        score: Callable[[Feed], Outputs] | None = None,
    ) -> None:
        self.batches: list[list[float]] = []
        self._delivered = asyncio.Event()
        self.batcher: Batcher[FakeJob] = Batcher(
            score or (lambda feed: {"y": 2 * feed["x"]}), self._deliver, limits, seconds_per_row
        )

    def _deliver(self, jobs: list[FakeJob], feed: Feed, outputs: Outputs, seconds: float) -> None:
        self.batches.append(outputs["y"].tolist())
        self._delivered.set()

    async def until(self, count: int) -> list[list[float]]:
        async with asyncio.timeout(5):
            while len(self.batches) < count:
                self._delivered.clear()
                await self._delivered.wait()
        return self.batches


async def test_what_arrives_in_one_turn_is_scored_together() -> None:
    harness = Harness()
    for value in (1, 2, 3):
        harness.batcher.submit(job(value))
    assert await harness.until(1) == [[2, 4, 6]]


async def test_a_batch_has_at_most_max_rows_and_keeps_the_order() -> None:
    harness = Harness(
        Limits(max_rows=3, max_delay=0, max_waiting=100, max_waiting_rows=1000, max_wait=1e9)
    )
    for values in ([1, 2], [3, 4], [5], [6, 7, 8, 9, 10], [11]):
        harness.batcher.submit(job(*values))
    assert await harness.until(4) == [[2, 4], [6, 8, 10], [12, 14, 16, 18, 20], [22]]


async def test_rows_of_another_shape_are_not_joined() -> None:
    harness = Harness()
    for key in (1, 1, 2, 1):
        harness.batcher.submit(job(key, key=key))
    assert await harness.until(3) == [[2, 2], [4], [2]]


async def test_what_nobody_waits_for_is_not_scored() -> None:
    harness = Harness()
    gone = job(1)
    gone.abandoned = True
    for item in (gone, job(2)):
        harness.batcher.submit(item)
    assert await harness.until(1) == [[4]]
    assert harness.batcher.waiting == 0


async def test_a_long_batch_leaves_the_event_loop_free_and_gathers_what_arrives() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def score(feed: Feed) -> Outputs:
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(5)
        return {"y": feed["x"]}

    harness = Harness(seconds_per_row=SLOW, score=score)
    harness.batcher.submit(job(1))
    await asyncio.wait_for(started.wait(), 5)
    for value in (2, 3):
        harness.batcher.submit(job(value))
    assert harness.batcher.waiting == 2
    go_on.set()
    assert await harness.until(2) == [[1], [2, 3]]
    harness.batcher.close()


async def test_one_requests_rows_do_not_fail_the_others() -> None:
    def score(feed: Feed) -> Outputs:
        if (feed["x"] < 0).any():
            raise ValueError("negative")
        return {"y": feed["x"]}

    harness = Harness(score=score)
    jobs = [job(1), job(-1), job(3)]
    for item in jobs:
        harness.batcher.submit(item)
    assert await harness.until(2) == [[1], [3]]
    assert [len(item.errors) for item in jobs] == [0, 1, 0]
    assert str(jobs[1].errors[0]) == "negative"


async def test_the_queue_is_bounded_in_requests() -> None:
    harness = Harness(
        Limits(max_rows=1, max_delay=0, max_waiting=2, max_waiting_rows=1000, max_wait=1e9)
    )
    for _ in range(2):
        harness.batcher.submit(job(1))
    with pytest.raises(OverloadedError, match="2 requests"):
        harness.batcher.submit(job(1))
    await harness.until(2)
    harness.batcher.submit(job(1))
    assert len(await harness.until(3)) == 3


async def test_the_queue_is_bounded_in_rows_but_takes_any_request_when_empty() -> None:
    harness = Harness(
        Limits(max_rows=1, max_delay=0, max_waiting=10, max_waiting_rows=3, max_wait=1e9)
    )
    harness.batcher.submit(job(1, 2, 3, 4))
    with pytest.raises(OverloadedError) as caught:
        harness.batcher.submit(job(5))
    assert caught.value.retry_after >= 1
    assert len(await harness.until(1)) == 1


async def test_the_queue_is_bounded_in_time() -> None:
    limits = Limits(max_rows=1, max_delay=0, max_waiting=10, max_waiting_rows=1000, max_wait=0.01)
    harness = Harness(limits, seconds_per_row=0.004)
    for _ in range(2):
        harness.batcher.submit(job(1))
    with pytest.raises(OverloadedError):
        harness.batcher.submit(job(1))
    assert len(await harness.until(2)) == 2


def delayed(seconds: float) -> Limits:
    return Limits(
        max_rows=64, max_delay=seconds, max_waiting=100, max_waiting_rows=1000, max_wait=1e9
    )


async def test_a_lone_request_never_waits_for_company() -> None:
    harness = Harness(delayed(1000))
    for value in (1, 2, 3):
        harness.batcher.submit(job(value))
        await harness.until(value)
    assert harness.batches == [[2], [4], [6]]


async def test_under_load_a_batch_waits_for_as_many_as_the_last_one_had() -> None:
    harness = Harness(delayed(1000))
    for value in (1, 2, 3):
        harness.batcher.submit(job(value))
    await harness.until(1)
    for value in (4, 5):
        harness.batcher.submit(job(value))
        await asyncio.sleep(0)
    assert len(harness.batches) == 1
    harness.batcher.submit(job(6))
    assert await harness.until(2) == [[2, 4, 6], [8, 10, 12]]


async def test_company_that_does_not_come_is_waited_for_only_so_long() -> None:
    harness = Harness(delayed(0.01))
    for value in (1, 2, 3):
        harness.batcher.submit(job(value))
    await harness.until(1)
    harness.batcher.submit(job(4))
    assert await harness.until(2) == [[2, 4, 6], [8]]
    harness.batcher.submit(job(5))
    await asyncio.sleep(0)
    assert len(harness.batches) == 3  # the last batch had no company: no more waiting
