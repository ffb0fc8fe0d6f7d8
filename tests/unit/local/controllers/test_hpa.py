"""Autoscaling: from CPU to replicas, held back by windows and rates."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.controllers.changes import Emit, Patch, SetStatus
from pawl.local.controllers.hpa.behavior import Bounds, Memory, decide
from pawl.local.controllers.hpa.metrics import (
    MetricError,
    Sample,
    Tolerance,
    by_average,
    by_utilization,
)
from pawl.local.controllers.hpa.plan import HpaPlan, Observed, Target, plan_hpa
from pawl.local.controllers.objects import Obj, stamp

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


def pod(name: str, cpu: str = "100m", *, ready: bool = True, since: datetime = LONG_AGO) -> Obj:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp(since)}
    requests = {"requests": {"cpu": cpu}}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "resources": requests}]},
        "status": {"phase": "Running", "startTime": stamp(since), "conditions": [condition]},
    }


def sample(usage: list[float | None], **kwargs: Any) -> Sample:
    pods = tuple(pod(f"p{n}", **kwargs) for n in range(len(usage)))
    known = {f"p{n}": used for n, used in enumerate(usage) if used is not None}
    return Sample(pods, known, len(usage), NOW)


@pytest.mark.parametrize(
    ("usage", "target", "replicas"),
    [
        pytest.param([100, 100], 50, 4, id="twice-the-target-doubles"),
        pytest.param([25, 25], 50, 1, id="half-the-target-halves"),
        pytest.param([54, 54], 50, 2, id="within-tolerance-stays"),
        pytest.param([56, 56], 50, 3, id="beyond-tolerance-grows"),
        pytest.param([100, None], 50, 2, id="missing-counts-as-idle-when-growing"),
        pytest.param([10, None], 50, 2, id="missing-counts-as-busy-when-shrinking"),
    ],
)
def test_utilization(usage: list[float | None], target: int, replicas: int) -> None:
    assert by_utilization(sample(usage), target, Tolerance()).replicas == replicas


def test_pods_that_have_just_started_are_not_measured() -> None:
    young = pod("young", since=NOW - timedelta(seconds=5))
    both = Sample((pod("old"), young), {"old": 60.0, "young": 900.0}, 2, NOW)
    proposal = by_utilization(both, 60, Tolerance())
    assert (proposal.replicas, proposal.utilization) == (2, 60)


def test_an_average_is_measured_without_requests() -> None:
    assert by_average(sample([300, 100]), 100, Tolerance()).replicas == 4


@pytest.mark.parametrize(
    ("usage", "kwargs", "message"),
    [
        pytest.param([None], {}, "no metrics returned from resource metrics API", id="no-samples"),
        pytest.param(
            [5],
            {"ready": False, "since": NOW},
            "did not receive metrics for targeted pods (pods might be unready)",
            id="unready",
        ),
    ],
)
def test_what_cannot_be_measured_is_said(usage: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(MetricError) as raised:
        by_utilization(sample(usage, **kwargs), 50, Tolerance())
    assert str(raised.value).endswith(message)


def test_a_missing_request_is_said() -> None:
    bare = pod("p0")
    del bare["spec"]["containers"][0]["resources"]["requests"]
    with pytest.raises(MetricError, match="missing request for cpu in container main of Pod p0"):
        by_utilization(Sample((bare,), {"p0": 5.0}, 1, NOW), 50, Tolerance())


def test_shrinking_waits_five_minutes() -> None:
    memory = Memory().proposed(8, NOW)
    bounds = Bounds(8, 1, 10)
    early = decide(2, bounds, None, memory, NOW + timedelta(seconds=299))
    assert (early.replicas, early.able[0]) == (8, "ScaleDownStabilized")
    assert decide(2, bounds, None, memory, NOW + timedelta(seconds=301)).replicas == 2


@pytest.mark.parametrize(
    ("proposal", "bounds", "replicas", "reason"),
    [
        pytest.param(9, Bounds(3, 1, 20), 6, "ScaleUpLimit", id="doubles-at-most"),
        pytest.param(9, Bounds(1, 1, 20), 4, "ScaleUpLimit", id="or-four"),
        pytest.param(9, Bounds(8, 1, 8), 8, "TooManyReplicas", id="max"),
        pytest.param(1, Bounds(3, 2, 8), 2, "TooFewReplicas", id="min"),
        pytest.param(5, Bounds(3, 2, 8), 5, "DesiredWithinRange", id="in-range"),
    ],
)
def test_limits_without_behavior(proposal: int, bounds: Bounds, replicas: int, reason: str) -> None:
    decision = decide(proposal, bounds, None, Memory(), NOW)
    assert (decision.replicas, decision.limit[0]) == (replicas, reason)
    assert decision.limited == (reason != "DesiredWithinRange")


def test_behavior_limits_the_rate_over_its_period() -> None:
    up = {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}
    behavior = {"scaleUp": up}
    first = decide(10, Bounds(2, 1, 10), behavior, Memory(), NOW)
    assert (first.replicas, first.limit[0]) == (4, "ScaleUpLimit")
    memory = Memory().scaled(2, NOW)
    within = decide(10, Bounds(4, 1, 10), behavior, memory, NOW + timedelta(seconds=30))
    assert within.replicas == 4
    after = decide(10, Bounds(4, 1, 10), behavior, memory, NOW + timedelta(seconds=61))
    assert after.replicas == 6


def test_behavior_can_forbid_shrinking() -> None:
    behavior = {"scaleDown": {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}}
    assert decide(1, Bounds(4, 1, 10), behavior, Memory(), NOW).replicas == 4


def hpa(**spec: Any) -> Obj:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    target = {"type": "Utilization", "averageUtilization": 50}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    full = {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": ref, "metrics": [metric]}
    return {"metadata": {"name": "h", "namespace": "default"}, "spec": {**full, **spec}}


def target(replicas: int) -> Target:
    pods = tuple(pod(f"p{n}") for n in range(replicas))
    deployment = {"metadata": {"name": "d"}, "spec": {"replicas": replicas}}
    return Target("apps/deployments", deployment, pods)


def conditions(plan: HpaPlan) -> dict[str, tuple[str, str]]:
    (written,) = [c for c in plan.changes if isinstance(c, SetStatus)]
    return {c["type"]: (c["status"], c["reason"]) for c in written.status["conditions"]}


def test_a_busy_target_is_scaled_up() -> None:
    plan = plan_hpa(Observed(hpa(), target(2), usage={"p0": 90.0, "p1": 90.0}), NOW)
    scale = plan.changes[0]
    assert isinstance(scale, Patch)
    assert (scale.subresource, scale.body) == ("scale", {"spec": {"replicas": 4}})
    told = [c for c in plan.changes if isinstance(c, Emit)]
    assert [(e.reason, e.message) for e in told] == [
        (
            "SuccessfulRescale",
            "New size: 4; reason: cpu resource utilization (percentage of request) above target",
        )
    ]
    assert conditions(plan) == {
        "AbleToScale": ("True", "SucceededRescale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    (written,) = [c for c in plan.changes if isinstance(c, SetStatus)]
    shown = written.status["currentMetrics"][0]["resource"]["current"]
    assert shown == {"averageUtilization": 90, "averageValue": "90m"}


@pytest.mark.parametrize(("replicas", "wanted"), [(9, 5), (1, 2)])
def test_limits_hold_without_any_metric(replicas: int, wanted: int) -> None:
    plan = plan_hpa(Observed(hpa(minReplicas=2), target(replicas)), NOW)
    assert isinstance(plan.changes[0], Patch)
    assert plan.changes[0].body == {"spec": {"replicas": wanted}}


def test_without_samples_nothing_is_scaled_and_the_reason_is_shown() -> None:
    plan = plan_hpa(Observed(hpa(), target(2)), NOW)
    assert not any(isinstance(c, Patch) for c in plan.changes)
    assert conditions(plan)["ScalingActive"] == ("False", "FailedGetResourceMetric")


def test_a_target_scaled_to_zero_is_left_alone() -> None:
    plan = plan_hpa(Observed(hpa(), target(0)), NOW)
    assert conditions(plan)["ScalingActive"] == ("False", "ScalingDisabled")
    assert not any(isinstance(c, Patch) for c in plan.changes)


def test_a_target_that_is_not_there_is_told() -> None:
    missing = 'deployments.apps "d" not found'
    plan = plan_hpa(Observed(hpa(), None, missing), NOW)
    assert conditions(plan)["AbleToScale"] == ("False", "FailedGetScale")


@given(
    current=st.integers(0, 12),
    usage=st.lists(st.floats(0, 500), min_size=12, max_size=12),
    least=st.integers(1, 5),
    more=st.integers(0, 6),
)
def test_the_size_is_always_within_the_limits(
    current: int, usage: list[float], least: int, more: int
) -> None:
    used = {f"p{n}": amount for n, amount in enumerate(usage[:current])}
    observed = Observed(hpa(minReplicas=least, maxReplicas=least + more), target(current), "", used)
    plan = plan_hpa(observed, NOW)
    sizes = [c.body["spec"]["replicas"] for c in plan.changes if isinstance(c, Patch)]
    assert all(least <= size <= least + more for size in sizes)


def by_requests(target: str = "10", **metric: Any) -> Obj:
    named = {"name": "rps", **metric}
    source = {"metric": named, "target": {"type": "AverageValue", "averageValue": target}}
    return hpa(metrics=[{"type": "Pods", "pods": source}])


@pytest.mark.parametrize(
    ("rates", "replicas"),
    [
        pytest.param({"p0": 15_000.0, "p1": 25_000.0}, 4, id="twice-the-target-doubles"),
        pytest.param({"p0": 4_000.0, "p1": 4_000.0}, 1, id="below-half-halves"),
        pytest.param({"p0": 11_000.0, "p1": 10_800.0}, 2, id="within-tolerance-stays"),
        pytest.param({"p0": 30_000.0}, 3, id="a-pod-without-a-value-counts-as-idle-when-growing"),
        pytest.param({"p0": 1_000.0}, 2, id="and-as-on-target-when-shrinking"),
    ],
)
def test_a_metric_of_pods(rates: dict[str, float], replicas: int) -> None:
    memory = Memory().proposed(1, NOW)
    observed = Observed(by_requests(), target(2), rates={"rps": rates}, memory=memory)
    plan = plan_hpa(observed, NOW)
    resized = [c.body["spec"]["replicas"] for c in plan.changes if isinstance(c, Patch)]
    assert (resized or [2]) == [replicas]


def test_a_metric_of_pods_is_told_in_the_status() -> None:
    observed = Observed(by_requests(), target(1), rates={"rps": {"p0": 40_000.0}})
    plan = plan_hpa(observed, NOW)
    (told,) = [c for c in plan.changes if isinstance(c, Emit)]
    assert told.message == "New size: 4; reason: pods metric rps above target"
    (written,) = [c for c in plan.changes if isinstance(c, SetStatus)]
    shown = {"metric": {"name": "rps"}, "current": {"averageValue": "40000m"}}
    assert written.status["currentMetrics"] == [{"type": "Pods", "pods": shown}]


def test_a_pod_that_has_just_started_counts_by_its_requests() -> None:
    """Unlike by its CPU, which starting costs."""
    young = pod("p0", ready=False, since=NOW - timedelta(seconds=5))
    started = Sample((young,), {"p0": 30.0}, 1, NOW)
    assert by_average(started, 10, Tolerance(), starting=False).replicas == 3
    with pytest.raises(MetricError, match="pods might be unready"):
        by_average(started, 10, Tolerance())


@pytest.mark.parametrize(
    ("rates", "metric", "message"),
    [
        pytest.param({}, {}, "the server could not find the metric rps for pods", id="unknown"),
        pytest.param(
            {"rps": {}}, {}, "no metrics returned from custom metrics API", id="no-values"
        ),
        pytest.param(
            {"rps": {"p0": 1.0}},
            {"selector": {"matchLabels": {"a": "b"}}},
            "it has no labels to select by",
            id="selector",
        ),
    ],
)
def test_a_metric_of_pods_that_is_not_there_is_said(rates: Any, metric: Obj, message: str) -> None:
    plan = plan_hpa(Observed(by_requests(**metric), target(1), rates=rates), NOW)
    assert conditions(plan)["ScalingActive"] == ("False", "FailedGetPodsMetric")
    told = [c for c in plan.changes if isinstance(c, Emit)]
    assert [e.reason for e in told] == ["FailedGetPodsMetric", "FailedComputeMetricsReplicas"]
    assert told[0].message.endswith(message)


def test_load_that_ends_scales_in_after_five_minutes() -> None:
    """Looked at every 15 s, as the controller does."""
    memory, size, sizes = Memory(), 1, []
    for look in range(40):
        rate = 30_000.0 if look < 4 else 0.0
        rates = {"rps": {f"p{n}": rate / size for n in range(size)}}
        now = NOW + timedelta(seconds=15 * look)
        observed = Observed(by_requests(), target(size), rates=rates, memory=memory)
        plan = plan_hpa(observed, now)
        memory = plan.memory
        for change in plan.changes:
            if isinstance(change, Patch):
                size = change.body["spec"]["replicas"]
        sizes.append(size)
    assert sizes == [3] * 24 + [1] * 16
