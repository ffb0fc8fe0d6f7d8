"""What is watched of a Deployment: hours are kept, and why nothing can be said is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from serving_world import serving, version
from watch_world import LAYOUT, traffic
from world import INSTALLATION

from pawl.core.conditions import parse_timestamp
from pawl.core.deployment import plan_deployment
from pawl.core.plan import KeepHour, Plan
from pawl.core.watch import DriftObserved
from pawl.core.watch.baseline import NoBaseline
from pawl.stats.drift.window import counted


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
