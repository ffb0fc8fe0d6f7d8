"""What routers count of users' requests, as the operator reads it: what users saw, once each."""

from __future__ import annotations

import asyncio

from client import INFER
from town import Town, eventually, route

from pawl.core.routing.route import Shadow
from pawl.core.routing.state import Totals, increase


async def test_failures_timeouts_resets_and_dead_pods_are_errors_of_their_version(town: Town):
    await town.pod(7)
    (new,) = await town.pod(8)
    router = await town.start(route({7: 0, 8: 100}, timeout=1))
    await town.client.many([{}] * 20)
    state = await router.state()
    assert state.totals == {7: Totals(), 8: Totals(20)}
    for behaviour, status in (("fail", 500), ("hang", 504), ("reset", 503), ("dead", 503)):
        if behaviour == "dead":
            new.die()
        else:
            new.behaviour = behaviour  # type: ignore[assignment]
        answers = await town.client.many([{}] * 4, connections=4)
        assert {answer.status for answer in answers} == {status}
        before, state = state, await router.state()
        assert increase(before, state) == {7: Totals(), 8: Totals(4, 4)}


async def test_refused_requests_are_errors_of_the_version_that_refuses(town: Town):
    """Who asks wrongly asks both versions alike."""
    (pod,) = await town.pod(7)
    router = await town.start(route({7: 100}))
    for status in (429, 400):
        pod.behaviour = status
        assert (await town.client.ask()).status == status
    assert (await router.state()).totals == {7: Totals(2, 2)}


async def test_a_client_that_went_before_the_answer_is_an_error(town: Town):
    """Else a version that hangs would look as if nobody asked it."""
    (pod,) = await town.pod(7)
    router = await town.start(route({7: 100}))
    pod.behaviour = "hang"
    gone = await town.client.many([{"patience": 0.2}] * 5, connections=5)
    assert {answer.status for answer in gone} == {0}
    await router.until(lambda state: state.totals[7] == Totals(5, 5, abandoned=5))


async def test_a_request_that_another_pod_answered_is_no_error(town: Town):
    """One pod of two dies under load: attempts fail, requests do not, and each counts once."""
    dying, _ = await town.pod(7, 2)
    router = await town.start(route({7: 100}))
    half = asyncio.Event()

    async def kill() -> None:
        await eventually(lambda: len(dying.requests) > 200)
        dying.die()
        half.set()
        await router.until(lambda state: state.healthy == {7: 1})

    answers = await town.client.beside(kill())
    assert half.is_set()
    state = await router.state()
    # Only what the pod had in hand as it died may be lost: nobody knows whether it was answered.
    lost = [answer for answer in answers if answer.status != 200]
    assert len(lost) <= 16
    assert state.totals[7] == Totals(len(answers), len(lost))


async def test_requests_for_what_is_no_sample_are_not_counted(town: Town):
    (pod,) = await town.pod(7)
    router = await town.start(route({7: 100}))
    pod.behaviour = "fail"
    for path in (f"{INFER[:-6]}/versions/7/infer", f"{INFER[:-6]}/feedback", "/v2/health/ready"):
        await town.client.ask(path)
    assert (await router.state()).totals == {7: Totals()}


async def test_copies_are_counted_apart_and_only_those_that_were_sent(town: Town):
    await town.pod(7)
    (shadow,) = await town.pod(8)
    router = await town.start(route({7: 100, 8: None}, shadow=Shadow(8, 100), timeout=3))
    shadow.behaviour = "fail"
    await town.client.many([{}] * 50, connections=1)
    await router.until(lambda state: state.mirrored == {8: Totals(50, 50)})
    shadow.behaviour = "hang"
    await town.client.many([{}] * 500)
    sent = 50 + 128 + 8  # no more at a time; they count when they time out
    state = await router.until(lambda state: state.mirrored[8].requests >= sent)
    assert state.mirrored[8].errors == state.mirrored[8].requests < 550
    assert state.totals == {7: Totals(550), 8: Totals()}


async def test_a_version_that_was_forgotten_and_met_again_counts_from_zero(town: Town):
    await town.pod(7)
    await town.pod(8)
    both, one = route({7: 50, 8: 50}), route({7: 100})
    router = await town.start(both)
    await town.client.many([{}] * 100)
    before = await router.state()
    assert before.totals[8].requests > 20
    router.publish(one)
    await router.follows(one)
    router.publish(both)
    await router.follows(both)
    state = await router.until(lambda state: state.healthy.get(8) == 1)
    assert state.totals[8] == Totals()
    answers = await town.client.many([{}] * 10)
    after = await router.state()
    mine = sum(answer.version == 8 for answer in answers)
    assert increase(before, after)[8] == Totals(mine)
