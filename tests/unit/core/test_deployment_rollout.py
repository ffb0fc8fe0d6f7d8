"""Rollouts through the whole planner: traffic that is made up, an operator that dies, a status that
is wiped."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_world import Serving, serving, version
from world import ConflictError, OperatorDiedError

from pawl.core.measurement import Arm, Measurement
from pawl.core.routing.state import Totals
from pawl.stats.shadow import Comparison

ROLLOUT: dict[str, Any] = {
    "shadow": {"duration": "5s", "gates": [{"metric": "disagreement", "max": 0.1}]},
    "canary": {
        "steps": [{"weight": 20, "duration": "5s"}, {"weight": 50, "duration": "5s"}],
        "gates": [{"metric": "error_rate", "notWorseBy": 0.05}],
    },
    "decision": {"confidence": 0.95, "minSamples": 100},
}


class Trial(Serving):
    """Versions answer `rate` requests a second; `bad` are the shares that fail, `differ` the share
    of the shadow's answers that are others."""

    rate = 400
    bad: dict[int, float] = {}  # noqa: RUF012 - replaced, never changed
    differ = 0.0

    def second(self, die_after: int | None = None) -> dict[str, Any]:
        """One reconcile and one second of traffic."""
        self._serve()
        self._measure()
        status = self.reconcile(die_after)
        self.measured = None
        return status

    def _serve(self) -> None:
        for number, weight in self.route.weights.items():
            requests = self.rate * (weight or 0) // 100
            if requests:
                more = Totals(requests, round(requests * self.bad.get(number, 0.0)))
                self.totals = {**self.totals, number: self.totals.get(number, Totals()) + more}

    def _measure(self) -> None:
        state = self.status("Deployment", "churn").get("rollout")
        if not state or (not state.get("stepStartedAt") and "measuredTo" not in state):
            return
        end = int(self.clock.timestamp())
        begin = state.get("measuredTo") or end - 1
        pairs = 100 * (end - begin) if self.route.shadow else 0
        differ = round(pairs * self.differ)
        comparison = Comparison(pairs=pairs, labelled=pairs, disagreements=differ)
        self.measured = Measurement(begin, end, Arm(pods=1), Arm(pods=1), comparison)

    def until(self, phase: str, limit: int = 60) -> dict[str, Any]:
        for _ in range(limit):
            status = self.second()
            if (status.get("rollout") or {}).get("phase", status["phase"]) == phase:
                return status
        raise AssertionError(f"never {phase}: {status}")

    def weights(self) -> dict[int, int]:
        return {v: w for v, w in self.route.weights.items() if w}


def trial(**rollout: Any) -> Trial:
    world = serving(version(1), make=Trial, replicas=4, rollout=ROLLOUT | rollout)
    world.until("Serving")
    world.add(version(2))
    return world


def test_a_good_candidate_goes_all_the_way():
    world = trial()
    seen = []
    for _ in range(60):
        status = world.second()
        state = status.get("rollout") or {}
        now = (state.get("phase", status["phase"]), world.weights().get(2, 0))
        if not seen or seen[-1] != now:
            seen.append(now)
    phases = [entry for entry in seen if entry[0] in ("Shadow", "Canary", "Serving")]
    assert phases[:1] == [("Shadow", 0)]
    assert ("Canary", 20) in phases
    assert ("Canary", 50) in phases
    assert phases[-1] == ("Serving", 100)
    assert status["stable"]["name"] == "churn-v2"
    assert [s["metadata"]["name"] for s in world.workloads("server")] == ["churn-v2"]
    assert [d["reason"] for d in world.decisions.values()] == ["Promoted", "Promoted"]


def test_the_candidate_has_the_pods_that_its_share_needs():
    world = trial()
    world.until("Shadow")
    counts: dict[int, int] = {}
    for _ in range(40):
        world.second()
        for server in world.workloads("server"):
            if server["metadata"]["name"] == "churn-v2":
                counts.setdefault(world.weights().get(2, 0), server["spec"]["replicas"])
            else:
                assert server["spec"]["replicas"] == 4
    assert counts[50] == 2
    assert counts[100] == 4


def test_a_candidate_that_answers_otherwise_never_gets_a_user():
    world = trial()
    world.differ = 0.6
    for _ in range(40):
        status = world.second()
        assert 2 not in world.weights()
    assert status["stable"]["name"] == "churn-v1"
    assert status["rolledBack"][0]["version"] == "churn-v2"
    assert status["rolledBack"][0]["message"].startswith("disagreement failed")
    assert [e["reason"] for e in status["history"]] == ["GateFailed", "Promoted"]
    assert [s["metadata"]["name"] for s in world.workloads("server")] == ["churn-v1"]


def test_a_candidate_that_fails_requests_is_rolled_back_and_not_tried_again():
    world = trial()
    world.bad = {2: 0.3}
    world.until("Canary")
    world.until("RollingBack")
    world.until("Serving")
    for _ in range(20):
        status = world.second()
        assert world.weights() == {1: 100}
    assert "rollout" not in status
    item = world.objects[("Deployment", "churn")]
    world.bad = {}
    world.add({**item, "metadata": {**item["metadata"], "generation": 2}})
    world.until("Canary")
    assert world.status("Deployment", "churn")["rollout"]["attempt"] == 2


def test_a_retry_names_the_attempt_that_failed():
    world = trial()
    world.differ = 0.6
    world.until("RollingBack")
    world.until("Serving")
    item = world.objects[("Deployment", "churn")]
    item["metadata"]["annotations"] = {"pawl.dev/retry": "churn-v2"}
    world.until("Shadow")
    world.until("RollingBack")
    world.until("Serving")
    for _ in range(10):
        assert "rollout" not in world.second()


def test_all_requests_failing_is_noticed_within_seconds():
    world = trial()
    world.until("Canary")
    while world.weights().get(2) != 20:
        world.second()
    world.bad = {2: 1.0}
    for _ in range(3):
        world.second()
    assert world.weights() == {1: 100}
    assert world.status("Deployment", "churn")["rolledBack"][0]["reason"] == "CandidateBroken"


def test_a_pinned_version_that_was_rolled_back_is_told_as_stalled():
    world = trial()
    item = world.objects[("Deployment", "churn")]
    world.add({**item, "spec": {**item["spec"], "version": "churn-v2"}})
    world.differ = 0.6
    world.until("RollingBack")
    for _ in range(5):
        status = world.second()
    stalled = next(c for c in status["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "RolledBack")
    assert world.weights() == {1: 100}


@pytest.mark.parametrize(
    ("offline", "differ", "phase"),
    [
        pytest.param(0.3, 0.33, "Canary", id="as offline"),
        pytest.param(0.05, 0.33, "RollingBack", id="more than offline"),
    ],
)
def test_answers_may_differ_as_much_as_they_did_offline(offline: float, differ: float, phase: str):
    gates = [{"metric": "disagreement", "aboveOffline": 0.1}]
    world = serving(
        version(1), make=Trial, rollout={**ROLLOUT, "shadow": {"duration": "5s", "gates": gates}}
    )
    world.until("Serving")
    digest = version(1)["spec"]["artifact"]["digest"]
    told = {"version": "churn-v1", "digest": digest, "rows": 500, "disagreement": offline}
    world.add(version(2, comparison=told))
    world.differ = differ
    world.until(phase)


def test_without_a_comparison_offline_the_gate_says_so_and_nothing_advances():
    gates = [{"metric": "disagreement", "aboveOffline": 0.1}]
    world = serving(
        version(1), make=Trial, rollout={**ROLLOUT, "shadow": {"duration": "5s", "gates": gates}}
    )
    world.until("Serving")
    world.add(version(2))
    for _ in range(30):
        status = world.second()
    assert status["rollout"]["phase"] == "Shadow"
    assert "use max" in status["rollout"]["gates"][0]["message"]
    assert status["rollout"]["gates"][0]["verdict"] == "Error"


def test_a_wiped_status_says_at_once_what_goes_on_being_served():
    world = trial()
    world.until("Canary")
    while world.weights().get(2) != 20:
        world.second()
    world.objects[("Deployment", "churn")].pop("status")
    status = world.second()
    assert status["rollout"]["phase"] == "Shadow"
    assert status["stable"]["name"] == "churn-v1"
    assert [x["status"] for x in status["conditions"] if x["type"] == "Available"] == ["True"]


@pytest.mark.parametrize("phase", ["Shadow", "Canary", "RollingBack"])
def test_a_wiped_status_comes_to_the_same_end(phase: str):
    world = trial()
    if phase == "RollingBack":
        world.differ = 0.6
    world.until(phase)
    world.objects[("Deployment", "churn")].pop("status")
    for _ in range(60):
        status = world.second()
    expected = "churn-v1" if phase == "RollingBack" else "churn-v2"
    assert status["stable"]["name"] == expected
    assert status["phase"] == "Serving"
    assert world.weights() == {int(expected[-1]): 100}


ORDERS = [*permutations(("churn", "churn-v1", "churn-v2"))]


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_wiped_statuses_make_no_champion_of_what_was_rolled_back(order: tuple[str, ...]):
    """Whoever of the three is looked at first."""
    world = trial()
    world.differ = 0.6
    world.until("RollingBack")
    world.until("Serving")
    for kind, name in (("Deployment", "churn"), *(("ModelVersion", n) for n in order if "-" in n)):
        world.objects[(kind, name)].pop("status")
    told = len(world.events)
    for name in 2 * order:
        if name == "churn":
            world.second()
        else:
            world.verify(name)
    stages = [world.status("ModelVersion", f"churn-v{number}")["stage"] for number in (1, 2)]
    assert stages == ["Champion", "Candidate"]
    reasons = [event.reason for event in world.events[told:]]
    assert [reason for reason in reasons if reason in ("Champion", "Archived")] == ["Champion"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 14), max_size=40), st.booleans())
def test_an_operator_that_dies_after_any_write_changes_nothing(deaths: list[int], good: bool):
    world = trial()
    if not good:
        world.bad = {2: 0.3}
    for writes in deaths:
        try:
            world.second(die_after=writes)
        except (OperatorDiedError, ConflictError):
            world.follow()
        assert sum(world.weights().values()) == 100
    for _ in range(60):
        status = world.second()
    assert status["stable"]["name"] == ("churn-v2" if good else "churn-v1")
    assert status["phase"] == "Serving"
    names = [entry["version"] for entry in status["history"]]
    assert names.count("churn-v2") == 1
