"""What is watched of a Deployment: hours are kept, and why nothing can be said is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from serving_world import serving, version
from watch_world import LAYOUT, traffic
from world import DIGEST, INSTALLATION

from pawl.core.conditions import parse_timestamp
from pawl.core.deployment import plan_deployment
from pawl.core.plan import Apply, Create, KeepHour, Plan
from pawl.core.watch import Carry, DriftObserved, Tally, kept
from pawl.core.watch.baseline import NoBaseline
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import counted, empty, load


@pytest.mark.parametrize(
    ("prometheus", "reason"),
    [
        pytest.param(None, "NoPrometheus", id="there is none"),
        pytest.param("http://prometheus:9090", "", id="there is one"),
    ],
)
def test_a_source_that_is_not_there_is_refused(prometheus: str | None, reason: str):
    w = serving(version(1), drift={"source": "Prometheus"})
    plan = plan_deployment(w.observe(), replace(INSTALLATION, prometheus=prometheus), w.clock)
    assert plan.status is not None
    stalled = {c["type"]: c for c in plan.status["conditions"]}["Stalled"]
    assert stalled["status"] == ("True" if reason else "False")
    if reason:
        assert stalled["reason"] == reason
        assert "PAWL_PROMETHEUS" in stalled["message"]


def looked(**more: Any) -> Plan:
    """When the first window is over."""
    made = version(1)
    made["metadata"]["creationTimestamp"] = "2026-11-21T12:00:00Z"
    w = serving(made, drift={"baseline": "firstWeek"})
    w.settle()
    start = int(
        parse_timestamp(w.status("Deployment", "churn")["drift"]["windowStart"]).timestamp()
    )
    window = counted(LAYOUT, traffic())
    seen = DriftObserved("churn-v1", start, start + 3600, LAYOUT, window, **more)
    return plan_deployment(
        replace(w.observe(), drift=seen), INSTALLATION, w.clock + timedelta(hours=1)
    )


def test_hours_that_are_over_are_kept():
    plan = looked(hours={500_000: b"counts"})
    kept = [action for action in plan.actions if isinstance(action, KeepHour)]
    assert kept == [KeepHour("ml", "churn", "churn-v1", 500_000, b"counts")]
    assert not any(isinstance(action, KeepHour) for action in looked().actions)


def test_a_baseline_that_is_not_there_is_told():
    plan = looked(no_baseline=NoBaseline("StoreUnreachable", "the baseline cannot be read: x"))
    assert plan.status is not None
    found = next(c for c in plan.status["conditions"] if c["type"] == "Drifted")
    assert (found["status"], found["reason"]) == ("Unknown", "StoreUnreachable")
    assert found["message"].endswith("the baseline cannot be read: x")


def dated() -> Any:
    made = version(1)
    made["metadata"]["creationTimestamp"] = "2026-11-21T12:00:00Z"
    return made


def watched(tally: Tally, drift: DriftObserved | None = None, **spec: Any) -> Plan:
    """A version that has been served for a while, of which truth has told."""
    w = serving(dated(), drift={"performance": {"metric": "accuracy", "min": 0.9}, **spec})
    w.settle()
    observed = replace(w.observe(), drift=drift, tally=tally)
    return plan_deployment(observed, INSTALLATION, w.clock)


@pytest.mark.parametrize(
    ("seconds", "times"), [pytest.param(299, 0, id="soon"), pytest.param(300, 1, id="later")]
)
def test_truth_is_kept_where_no_feature_is_counted(seconds: int, times: int):
    """Of an imported model there is no baseline, so its window goes on for ever."""
    nothing = Layout.of([])
    drift = DriftObserved("churn-v1", 0, 0, nothing, empty(nothing))
    plan = watched(Tally(0, seconds, labelled=5), drift)
    kept_ = [a.object for a in plan.actions if isinstance(a, Apply) and "binaryData" in a.object]
    assert len(kept_) == times
    assert all(kept.tally(item, "churn-v1") == Tally(0, 300, labelled=5) for item in kept_)


def test_a_window_that_no_config_map_has_room_for_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "MOST", 10)
    drift = DriftObserved("churn-v1", 0, 300, LAYOUT, counted(LAYOUT, traffic()))
    plan = watched(Tally(0, 300), drift)
    assert not any(isinstance(a, Apply) and "binaryData" in a.object for a in plan.actions)


def decaying(minimum: float) -> list[str]:
    """Reasons for which versions were rolled back, when the limit was 0.9 and is so now."""
    w = serving(
        dated(), drift={"action": "rollback", "performance": {"metric": "accuracy", "min": 0.9}}
    )
    w.settle()
    item = w.objects[("Deployment", "churn")]
    told = {"metric": "accuracy", "limit": 0.9, "verdict": "Fail", "message": "accuracy 0.5"}
    item["status"]["drift"]["labels"] |= {"performance": told}
    item["spec"]["drift"]["performance"]["min"] = minimum
    return [entry["reason"] for entry in w.reconcile().get("rolledBack", [])]


def test_a_verdict_by_another_limit_rolls_nothing_back():
    assert decaying(0.9) == ["PerformanceDecayed"]
    assert decaying(0.4) == []


def retraining(outcome: dict[str, Any] | None = None, **spec: Any) -> tuple[Plan, dict[str, Any]]:
    """A stale version is to have a successor; `outcome` is the status of an earlier retrain."""
    drift = {"staleAfter": "1m", "action": "retrain", **spec.pop("drift", {})}
    versions = [dated()] if outcome is None else [dated(), version(2)]
    w = serving(*versions, drift=drift, retrain={"from": "weekly"}, **spec)
    w.settle()
    for made in versions:
        meta = w.objects[("ModelVersion", made["metadata"]["name"])]["metadata"]
        meta["creationTimestamp"] = "2026-11-01T12:00:00Z"
    seen = replace(w.observe(), recipe={"spec": {"model": "churn"}})
    if outcome is not None:
        then = "2026-11-01T12:00:00Z"
        meta = {"name": "churn-1", "namespace": "ml", "uid": "uid-t", "creationTimestamp": then}
        seen = replace(seen, retrains=({"metadata": meta, "status": {"run": outcome}},))
    plan = plan_deployment(seen, INSTALLATION, w.clock)
    assert plan.status is not None
    return plan, {c["type"]: c for c in plan.status["conditions"]}


def test_a_training_that_may_be_refused_holds_nothing_up():
    plan, _ = retraining()
    assert [type(action) for action in plan.afterwards] == [Create]
    assert not any(isinstance(action, Create) for action in plan.actions)


@pytest.mark.parametrize(
    ("drift", "delay"),
    [
        pytest.param({}, None, id="not watched"),
        pytest.param(
            {"performance": {"metric": "accuracy", "min": 0.5, "labelDelay": "2h"}}, "2h", id="2h"
        ),
    ],
)
def test_a_retrain_is_told_how_late_labels_are(drift: dict[str, Any], delay: str | None):
    (created,) = retraining(drift=drift)[0].afterwards
    assert isinstance(created, Create)
    assert created.object["spec"]["cause"].get("labelDelay") == delay


def test_a_pin_does_not_block_the_next_retrain():
    run = {"number": 1, "phase": "Succeeded", "recipeDigest": DIGEST, "modelVersion": "churn-v2"}
    plan, conditions = retraining(run, version="churn-v1")
    assert plan.status is not None
    assert plan.status["stable"]["name"] == "churn-v1"
    assert plan.status["retrain"]["outcome"] == "Trained"
    assert conditions["Retraining"]["reason"] == "Training"
    assert len(plan.afterwards) == 1


def test_what_a_window_leaves_to_the_next_one_is_kept_at_once():
    w = serving(dated(), drift={"minSamples": 100})
    w.settle()
    begun = w.status("Deployment", "churn")["drift"]["windowStart"]
    start = int(parse_timestamp(begun).timestamp())
    window = counted(LAYOUT, traffic(minutes=30) // 10)  # 300 rows: enough for two bins
    seen = DriftObserved("churn-v1", start, start + 3600, LAYOUT, window)
    plan = plan_deployment(
        replace(w.observe(), drift=seen), INSTALLATION, w.clock + timedelta(hours=1)
    )
    (made,) = (a.object for a in plan.actions if isinstance(a, Apply) and "binaryData" in a.object)
    after = kept.read(made)
    assert after is not None
    assert (after.start, after.to, after.carried) == (start + 3600, start + 3600, Carry(start, 300))


def test_a_kept_window_that_is_decided_gives_way_to_the_next():
    """Else a status that is lost now would have it decided again."""
    w = serving(dated(), drift={})
    w.settle()
    begun = w.status("Deployment", "churn")["drift"]["windowStart"]
    start = int(parse_timestamp(begun).timestamp())
    window = counted(LAYOUT, traffic())
    seen = DriftObserved("churn-v1", start, start + 3600, LAYOUT, window)
    owner = w.objects[("Deployment", "churn")]
    held = kept.Kept("churn-v1", start, start + 3500, window.dump(LAYOUT))
    observed = replace(w.observe(), drift=seen, window=kept.build(owner, held))
    plan = plan_deployment(observed, INSTALLATION, w.clock + timedelta(hours=1))
    (made,) = (a.object for a in plan.actions if isinstance(a, Apply) and "binaryData" in a.object)
    after = kept.read(made)
    assert after is not None
    assert (after.start, after.to) == (start + 3600, start + 3600)
    assert load(LAYOUT, after.data).rows == 0
