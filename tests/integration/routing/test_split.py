"""Who gets which version: weights, sticky users, requests that name a version."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from client import INFER, Answer
from town import Town, route

from pawl.core.routing.route import Sticky

USERS = [f"user-{number}" for number in range(600)]


@pytest.mark.parametrize(
    ("weights", "salt"),
    [
        pytest.param({7: 95, 8: 5}, None, id="5 %"),
        pytest.param({7: 50, 8: 50}, None, id="half"),
        pytest.param({7: 70, 8: 0, 9: 30}, None, id="one with nothing"),
        pytest.param({7: 75, 8: 25}, "s", id="25 % of the users"),
    ],
)
async def test_shares_are_the_weights(town: Town, weights: dict[int, int | None], salt: str | None):
    """Within five standard deviations."""
    for version in weights:
        await town.pod(version)
    await town.start(route(weights, sticky=Sticky("x-user", salt) if salt else None))
    asked = 4000
    headers = [{"x_user": f"u{n}"} if salt else {} for n in range(asked)]
    found = Counter(answer.version for answer in await town.client.many(headers))
    for version, weight in weights.items():
        share = (weight or 0) / 100
        assert abs(found[version] - asked * share) <= 5 * (asked * share * (1 - share)) ** 0.5
    assert found.total() == asked
    assert set(found) == {version for version, weight in weights.items() if weight}


async def test_a_user_keeps_the_version_and_who_has_the_new_one_keeps_it_as_it_grows(town: Town):
    """Also when the users come back in another order, and through another router."""
    for version in (7, 8):
        await town.pod(version)
    sticky = Sticky("x-user", "churn-v8.1")
    first = route({7: 95, 8: 5}, sticky=sticky)
    router = await town.start(first)
    _, other = await town.second(first)
    had: set[str] = set()
    for weight in (5, 25, 50, 100):
        wanted = route({7: 100 - weight, 8: weight}, sticky=sticky)
        router.publish(wanted)
        await router.follows(wanted)
        versions = await _versions(town, USERS)
        shuffled = random.Random(weight).sample(USERS, len(USERS))
        assert await _versions(town, shuffled) == versions
        if weight == 5:
            answers = await other.many([{"x_user": user} for user in USERS])
            assert dict(zip(USERS, [a.version for a in answers], strict=True)) == versions
        have = {user for user, version in versions.items() if version == 8}
        assert had <= have
        had = have
    assert had == set(USERS)
    await other.close()


async def test_another_salt_is_another_assignment(town: Town):
    """Independent: half of those that had the one have the other."""
    for version in (7, 8):
        await town.pod(version)
    one = route({7: 50, 8: 50}, sticky=Sticky("x-user", "churn-v8.1"))
    router = await town.start(one)
    before = await _versions(town, USERS)
    two = replace(one, sticky=Sticky("x-user", "churn-v8.2"))
    router.publish(two)
    await router.follows(two)
    after = await _versions(town, USERS)
    same = sum(before[user] == after[user] for user in USERS)
    assert abs(same - len(USERS) / 2) < 5 * (len(USERS) / 4) ** 0.5


async def test_who_does_not_say_who_he_is_is_split_by_weight(town: Town):
    for version in (7, 8):
        await town.pod(version)
    await town.start(route({7: 50, 8: 50}, sticky=Sticky("x-user", "s")))
    found = Counter(answer.version for answer in await town.client.many([{}] * 400))
    assert 100 < found[8] < 300
    assert all("x-pawl-user" not in request.headers for request in town.pods[1].of(INFER))


async def test_the_server_is_told_weight_user_and_salt(town: Town):
    (pod,) = await town.pod(7)
    await town.pod(8)
    await town.start(route({7: 95, 8: 5}, sticky=Sticky("x-user", "churn-v8.1")))
    await _versions(town, USERS[:50])
    told = pod.of(INFER)[0].headers
    assert (told["x-pawl-weight"], told["x-pawl-salt"]) == ("95", "churn-v8.1")
    assert told["x-pawl-user"] == told["x-user"]


async def test_a_request_that_names_a_version_gets_it(town: Town):
    for version in (7, 8):
        await town.pod(version)
    router = await town.start(route({7: 100, 8: 0}))
    for version in (7, 8):
        path = f"/v2/models/churn/versions/{version}/infer"
        answers = [await town.client.ask(path) for _ in range(20)]
        assert {answer.version for answer in answers} == {version}
        assert {r.headers.get("x-pawl-weight") for r in town.pods[version - 7].of(path)} == {None}
    state = await router.state()
    assert {total.requests for total in state.totals.values()} <= {0}  # no random sample


async def test_what_is_no_inference_is_answered_by_the_main_version(town: Town):
    for version in (7, 8):
        await town.pod(version)
    router = await town.start(route({7: 60, 8: 40}))
    paths = ["/v2", "/v2/models/churn", "/v2/health/ready", "/v2/models/churn/nonsense", INFER]
    answers = [await town.client.ask(path, "GET") for path in paths * 4]
    assert {answer.version for answer in answers} == {7}
    assert (await router.state()).totals[7].requests == 0


async def _versions(town: Town, users: list[str]) -> dict[str, int | None]:
    answers: list[Answer] = await town.client.many([{"x_user": user} for user in users])
    assert {answer.status for answer in answers} == {200}
    return dict(zip(users, [answer.version for answer in answers], strict=True))
