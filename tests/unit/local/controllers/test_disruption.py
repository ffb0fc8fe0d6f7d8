"""How many pods a budget lets go."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.local.controllers.changes import SetStatus
from pawl.local.controllers.disruption import Observed, plan_budget
from pawl.local.controllers.objects import Obj, stamp

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pods(ready: int, unready: int = 0) -> tuple[Obj, ...]:
    states = ["True"] * ready + ["False"] * unready
    return tuple(
        {
            "metadata": {"name": f"p{n}"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": state}]},
        }
        for n, state in enumerate(states)
    )


def budget(spec: Obj, **status: Any) -> Obj:
    return {"metadata": {"name": "b", "generation": 2}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("spec", "ready", "unready", "scale", "allowed", "desired"),
    [
        pytest.param({"minAvailable": 2}, 3, 0, 3, 1, 2, id="min-available"),
        pytest.param({"minAvailable": "50%"}, 3, 0, 3, 1, 2, id="share-rounds-up"),
        pytest.param({"maxUnavailable": 1}, 3, 0, 3, 1, 2, id="max-unavailable"),
        pytest.param({"maxUnavailable": 1}, 2, 1, 3, 0, 2, id="unready-uses-it-up"),
        pytest.param({"maxUnavailable": 1}, 0, 0, 0, 0, 0, id="no-pods-none-allowed"),
    ],
)
def test_allowed_disruptions(
    spec: Obj, ready: int, unready: int, scale: int, allowed: int, desired: int
) -> None:
    change, *told = plan_budget(Observed(budget(spec), pods(ready, unready), scale), NOW).changes
    assert bool(told) == (not pods(ready, unready))
    assert isinstance(change, SetStatus)
    assert change.status["disruptionsAllowed"] == allowed
    assert change.status["desiredHealthy"] == desired
    (condition,) = change.status["conditions"]
    assert condition["status"] == str(allowed > 0)
    again = budget(spec, **change.status)
    assert plan_budget(Observed(again, pods(ready, unready), scale), NOW).changes == ()


def test_a_pod_whose_eviction_was_granted_no_longer_counts() -> None:
    noted = budget({"minAvailable": 2}, disruptedPods={"p0": stamp(NOW)})
    plan = plan_budget(Observed(noted, pods(3), 3), NOW)
    (change,) = plan.changes
    assert isinstance(change, SetStatus)
    assert (change.status["currentHealthy"], change.status["disruptionsAllowed"]) == (2, 0)
    assert plan.requeue_after == 120.0
