"""Feedback for a prediction meets one pod, whichever router it comes by."""

from __future__ import annotations

from town import Town, eventually, route

FEEDBACK = "/v2/models/churn/feedback"
TOKENS = [f"token{number:011}" for number in range(60)]


async def test_a_token_meets_the_same_pod_through_every_router(town: Town):
    await town.pod(7, 3)
    first = route({7: 100})
    await town.start(first)
    _, other = await town.second(first)
    one = await _pods(town.client, TOKENS)
    assert await _pods(town.client, TOKENS[::-1]) == one
    assert await _pods(other, TOKENS) == one
    assert len(set(one.values())) == 3
    await other.close()


async def test_a_dead_pod_moves_only_its_own_tokens(town: Town):
    pods = await town.pod(7, 3)
    router = await town.start(route({7: 100}))
    before = await _pods(town.client, TOKENS)
    pods[0].die()
    await router.until(lambda state: state.healthy == {7: 2})
    after = await _pods(town.client, TOKENS)
    moved = {token for token in TOKENS if before[token] != after[token]}
    his = {token for token in TOKENS if before[token] == pods[0].address}
    assert his <= moved
    assert len(moved - his) <= len(TOKENS) // 10


async def test_feedback_goes_to_the_main_version_or_to_the_one_that_is_named(town: Town):
    await town.pod(7)
    await town.pod(8)
    await town.start(route({7: 75, 8: 25}))
    answers = [await town.client.ask(f"{FEEDBACK}?token={token}") for token in TOKENS]
    assert {answer.version for answer in answers} == {7}
    assert (await town.client.ask("/v2/models/churn/versions/8/feedback")).version == 8


async def test_feedback_that_a_pod_may_have_counted_is_not_sent_again(town: Town):
    """Inference is, since it counts nothing: here the pod closes before it has read anything."""
    pods = await town.pod(7, 2)
    await town.start(route({7: 100}))
    for pod in pods:
        pod.behaviour = "reset"
    assert (await town.client.ask(FEEDBACK)).status == 503
    assert sum(len(pod.of(FEEDBACK)) for pod in pods) == 1


async def test_feedback_finds_another_pod_when_its_own_cannot_be_connected_to(town: Town):
    pods = await town.pod(7, 3)
    await town.start(route({7: 100}))
    pods[0].die()
    answers = await town.client.many([{"path": f"{FEEDBACK}?token={token}"} for token in TOKENS])
    assert {answer.status for answer in answers} == {200}
    await eventually(lambda: not pods[0].connections)


async def _pods(client: object, tokens: list[str]) -> dict[str, str | None]:
    answers = await client.many([{"path": f"{FEEDBACK}?token={token}"} for token in tokens])  # type: ignore[attr-defined]
    assert {answer.status for answer in answers} == {200}
    return dict(zip(tokens, [answer.pod for answer in answers], strict=True))
