"""The work queue: once per key, delayed and retried."""

import asyncio

from pawl.local.controllers.queue import FIRST_RETRY, LAST_RETRY, WorkQueue


async def test_a_key_waits_only_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abab":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_get_waits_for_a_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await waiting == "a"


async def test_the_earliest_of_several_delays_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("late", 60)
    queue.add_after("late", 0.01)
    queue.add_after("late", 30)
    async with asyncio.timeout(5):
        assert await queue.get() == "late"


async def test_retries_double_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue()
    delays = [queue.retry("a") for _ in range(20)]
    assert delays[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert delays[-1] == LAST_RETRY
    queue.forget("a")
    assert queue.retry("a") == FIRST_RETRY
