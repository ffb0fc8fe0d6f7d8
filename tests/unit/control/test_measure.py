"""What is asked for one measurement, of whom, and for which seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.control.measure import Measure
from pawl.control.prometheus import PrometheusError
from pawl.core.measurement import Arm, Measurement
from pawl.stats.shadow import Pair

T = 1_790_000_000
NOW = datetime.fromtimestamp(T + 11, UTC)
STEP = "2026-09-21T14:13:20Z"  # T
CANARY: dict[str, Any] = {"steps": [{"weight": 5}]}


class Pods:
    """Monitors that remember what they were asked; `end` is up to where all pods know."""

    def __init__(self, end: int | None = None) -> None:
        self.end = end
        self.asked: list[tuple[str, Any, int, int]] = []
        self.users: dict[int, tuple[int, int]] = {}
        self.said: dict[int, list[Pair]] = {}

    async def arms(
        self, pods: Mapping[int, Iterable[Any]], begin: int, end: int
    ) -> tuple[dict[int, Arm], int]:
        names = {v: [pod["metadata"]["name"] for pod in many] for v, many in pods.items()}
        self.asked.append(("arms", names, begin, end))
        return {v: Arm(pods=len(many), users=self.users) for v, many in names.items()}, min(
            end, self.end or end
        )

    async def pairs(self, version: int, pods: Any, begin: int, end: int) -> list[Pair]:
        self.asked.append(("pairs", version, begin, end))
        return [pair for pair in self.said.get(version, []) if begin <= pair.second < end]


class Numbers:
    """A Prometheus that knows one query."""

    def __init__(self, **values: float) -> None:
        self.values = values

    async def value(self, query: str) -> float | None:
        if query not in self.values:
            raise PrometheusError("it did not answer")
        return self.values[query]


def item(rollout: Any, phase: str = "Canary", **state: Any) -> dict[str, Any]:
    status = {
        "phase": phase,
        "candidate": "churn-v8",
        "digest": "sha256:" + "8" * 64,
        "reference": 7,
        "startedAt": STEP,
        "stepStartedAt": STEP,
        "measuredTo": T + 6,
    }
    return {"spec": {"model": "churn", "rollout": rollout}, "status": {"rollout": status | state}}


def pod(name: str, role: str = "server", version: str = "7") -> dict[str, Any]:
    labels = {"pawl.dev/role": role, "pawl.dev/version": version}
    return {"metadata": {"name": name, "labels": labels}}


ALL = (
    pod("a"),
    pod("b", version="8"),
    pod("router", role="router"),
    pod("old", version="6"),
    pod("c"),
)


async def measured(pods: Pods, thing: Any, numbers: Any = None) -> Measurement | None:
    return await Measure(pods, numbers).rollout(thing, ALL, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(item(None), id="no rollout in the spec"),
        pytest.param({"spec": {"model": "churn"}}, id="no status"),
        pytest.param(item({"canary": {"steps": []}, "x": 1}), id="a spec that cannot be read"),
        pytest.param(item({"canary": CANARY}, phase="RollingBack"), id="on the way back"),
        pytest.param(item({"canary": CANARY}, measuredTo=T + 9), id="too early"),
        pytest.param(
            item({"canary": CANARY}, measuredTo=None, stepStartedAt=None), id="nothing to compare"
        ),
        pytest.param(
            {**item({"canary": CANARY}), "status": {"rollout": {"phase": "?"}}},
            id="a status that cannot be read",
        ),
    ],
)
async def test_nothing_is_asked(thing: Any):
    pods = Pods()
    assert await measured(pods, thing) is None
    assert pods.asked == []


async def test_the_servers_of_both_versions_are_asked_for_the_seconds_since():
    pods = Pods()
    found = await measured(pods, item({"canary": CANARY}))
    assert pods.asked == [("arms", {7: ["a", "c"], 8: ["b"]}, T + 6, T + 10)]
    assert found == Measurement(T + 6, T + 10, Arm(pods=2), Arm(pods=1))


async def test_it_ends_where_all_pods_know():
    found = await measured(Pods(end=T + 9), item({"canary": CANARY}))
    assert found is not None
    assert (found.begin, found.end) == (T + 6, T + 9)


async def test_users_are_counted_from_the_stage_on_where_they_are_sticky():
    pods = Pods()
    pods.users = {5: (3, 1)}
    thing = item({"canary": {**CANARY, "sticky": {"header": "x-user"}}}, stageStartedAt=STEP)
    found = await measured(pods, thing)
    assert [asked[2:] for asked in pods.asked] == [(T + 6, T + 10), (T, T + 10)]
    assert found is not None
    assert found.stable.users == found.candidate.users == {5: (3, 1)}


async def test_pairs_of_a_shadow_are_those_of_a_little_earlier():
    pods = Pods(end=T + 9)
    await measured(pods, item({"shadow": {}}, phase="Shadow"))
    assert pods.asked[1:] == [("pairs", 7, T + 3, T + 6), ("pairs", 8, T + 2, T + 9)]


async def test_of_a_long_window_the_pairs_of_its_last_seconds_are_compared():
    pods = Pods()
    late = datetime.fromtimestamp(T + 601, UTC)
    thing = item({"shadow": {}}, phase="Shadow")
    await Measure(pods, None).rollout(thing, ALL, late)  # type: ignore[arg-type]
    assert pods.asked[1:] == [("pairs", 7, T + 587, T + 597), ("pairs", 8, T + 586, T + 600)]


async def test_a_copy_that_is_answered_later_is_compared_once():
    pods = Pods()
    originals = [Pair(n, T + n, 1, None, 0.01, 200) for n in range(12)]
    pods.said = {7: originals, 8: [p._replace(second=p.second + p.id % 4 - 1) for p in originals]}
    compared = []
    for to in range(0, 16, 2):
        thing = item({"shadow": {}}, phase="Shadow", measuredTo=T + to)
        now = datetime.fromtimestamp(T + to + 3, UTC)
        found = await Measure(pods, None).rollout(thing, ALL, now)  # type: ignore[arg-type]
        assert found is not None
        assert found.comparison is not None
        compared.append(found.comparison.pairs)
    assert sum(compared) == 12


async def test_queries_name_the_versions_and_one_that_fails_has_no_value():
    gates = [
        {"prometheus": {"query": "slow{v='$(candidate)',than='$(stable)'}", "max": 1}},
        {"prometheus": {"query": "gone", "max": 1}},
    ]
    thing = item({"canary": {**CANARY, "gates": gates}})
    found = await measured(Pods(), thing, Numbers(**{"slow{v='8',than='7'}": 0.5}))
    assert found is not None
    assert found.queries == {gates[0]["prometheus"]["query"]: 0.5, "gone": None}
    found = await measured(Pods(), thing)
    assert found is not None
    assert found.queries == {}
