"""New weights are taken up at once, and nobody notices."""

from __future__ import annotations

import time

from town import Town, route

from pawl.core.routing.route import Sticky


async def test_weights_move_under_load_without_an_error(town: Town):
    """From one version to the other and back, every step through both files."""
    await town.pod(7, 2)
    await town.pod(8, 2)
    router = await town.start(route({7: 100}))
    took: list[float] = []

    async def move() -> None:
        warm = route({7: 100, 8: None})
        router.publish(warm)
        await router.follows(warm)
        await router.until(lambda state: state.healthy.get(8) == 2)
        for weight in (5, 25, 50, 100, 50, 5, 0):
            wanted = route({7: 100 - weight, 8: weight}, sticky=Sticky("x-user", "s"))
            began = time.perf_counter()
            router.publish(wanted)
            await router.follows(wanted)
            took.append(time.perf_counter() - began)
        router.publish(warm)
        await router.follows(warm)
        await router.until(lambda state: state.active == {7: state.active[7], 8: 0})
        last = route({7: 100})
        router.publish(last)
        await router.follows(last)

    answers = await town.client.beside(move())
    assert {answer.status for answer in answers} == {200}
    assert len({answer.version for answer in answers}) == 2
    assert max(took) < 2


async def test_a_version_that_lost_all_its_traffic_gets_nothing_at_once(town: Town):
    """From the swap of the file to the last request of the old version."""
    await town.pod(7)
    (bad,) = await town.pod(8)
    router = await town.start(route({7: 50, 8: 50}))
    back = route({7: 100, 8: 0})

    async def move() -> None:
        router.publish(back)
        await router.follows(back)

    await town.client.beside(move())
    count = len(bad.requests)
    answers = await town.client.many([{}] * 300)
    assert {answer.version for answer in answers} == {7}
    assert len(bad.requests) == count
