"""The work queue: once however often, one worker a key, growing delays."""

from __future__ import annotations

import asyncio

import pytest

from pawl.control.queue import Key, Queue

A, B = Key("TrainingJob", "ml", "a"), Key("TrainingJob", "ml", "b")


async def soon(queue: Queue) -> Key:
    return await asyncio.wait_for(queue.get(), 5)


async def nothing(queue: Queue) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)


async def test_a_key_that_is_added_twice_is_given_once():
    queue = Queue()
    queue.add(A)
    queue.add(A)
    assert await soon(queue) == A
    await nothing(queue)


async def test_keys_come_in_the_order_they_were_added():
    queue = Queue()
    queue.add(A)
    queue.add(B)
    assert [await soon(queue), await soon(queue)] == [A, B]


async def test_a_key_that_is_added_while_it_is_worked_on_comes_again_afterwards():
    queue = Queue()
    queue.add(A)
    await soon(queue)
    queue.add(A)
    await nothing(queue)
    queue.done(A)
    assert await soon(queue) == A


async def test_the_sooner_of_two_delays_counts():
    queue = Queue()
    queue.add_after(A, 60)
    queue.add_after(A, 0.01)
    assert await soon(queue) == A
    queue.done(A)
    await nothing(queue)


async def test_failures_wait_longer_and_longer_until_one_succeeds():
    queue = Queue()
    delays = [queue.retry(A) for _ in range(6)]
    assert delays[5] > 10 * delays[0]
    queue.forget(A)
    assert queue.retry(A) < 2 * 0.2


async def test_delays_are_bounded():
    queue = Queue()
    assert max(queue.retry(A) for _ in range(30)) <= 120 * 1.2


async def test_a_dropped_key_does_not_come_back():
    queue = Queue()
    queue.add_after(A, 0.01)
    queue.drop(A)
    await nothing(queue)


@pytest.mark.parametrize("turns", range(5))
async def test_a_worker_that_is_woken_and_told_to_end_at_once_ends(turns: int):
    """Whichever of the two it hears of first."""
    queue = Queue()
    queue.add_after(B, 60)

    async def work() -> None:
        while True:
            queue.done(await queue.get())

    worker = asyncio.create_task(work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    queue.add(A)
    for _ in range(turns):
        await asyncio.sleep(0)
    worker.cancel()
    await asyncio.wait([worker], timeout=1)
    assert worker.cancelled()


async def test_what_is_added_to_a_closed_queue_is_forgotten():
    queue = Queue(closed=True)
    queue.add(A)
    queue.open()
    await nothing(queue)
    queue.add(B)
    assert await soon(queue) == B
