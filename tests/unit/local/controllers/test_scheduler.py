"""Where pods are put, and why some are not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.local.controllers.changes import Emit, Patch
from pawl.local.controllers.objects import Obj
from pawl.local.controllers.resources import Ledger, pod_requests, quantity
from pawl.local.controllers.scheduler import Observed, plan_binding

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def node(**spec: Any) -> Obj:
    return {
        "metadata": {"name": "local", "labels": {"kubernetes.io/os": "linux"}},
        "spec": spec,
        "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3"}},
    }


def pod(name: str = "p", cpu: str | None = None, **spec: Any) -> Obj:
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    containers = [{"name": "main", "resources": resources}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": containers, **spec},
        "status": {"phase": "Pending"},
    }


def placed(cpu: str) -> Obj:
    return pod("q", cpu, nodeName="local")


def named(pod: Obj, number: int) -> Obj:
    return {**pod, "metadata": {"name": f"q{number}", "uid": f"q{number}"}}


def refusal(observed: Observed) -> str:
    changes = plan_binding(observed, NOW).changes
    told = [c for c in changes if isinstance(c, Emit)]
    (shown,) = [c for c in changes if isinstance(c, Patch)]
    (condition,) = shown.body["status"]["conditions"]
    assert condition["reason"] == "Unschedulable"
    assert [(e.reason, e.message) for e in told] == [("FailedScheduling", condition["message"])]
    return str(condition["message"])


def test_a_pod_that_fits_is_bound_to_the_node() -> None:
    bind, scheduled, told = plan_binding(Observed(pod(cpu="1"), (node(),), {}), NOW).changes
    assert isinstance(bind, Patch)
    assert bind.body == {"spec": {"nodeName": "local"}}
    assert isinstance(scheduled, Patch)
    assert scheduled.body["status"]["conditions"][0]["status"] == "True"
    assert isinstance(told, Emit)
    assert told.message == "Successfully assigned default/p to local"


HELPLESS = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


@pytest.mark.parametrize(
    ("the_pod", "the_node", "others", "message"),
    [
        pytest.param(pod(cpu="3"), node(), (), f"1 Insufficient cpu. {HELPLESS}", id="too-big"),
        pytest.param(
            pod(cpu="1"), node(), (placed("1500m"),), f"1 Insufficient cpu. {NO_VICTIMS}", id="full"
        ),
        pytest.param(
            pod(),
            node(),
            (placed("1m"),) * 3,
            f"1 Too many pods. {NO_VICTIMS}",
            id="too-many-pods",
        ),
        pytest.param(
            pod(nodeSelector={"gpu": "yes"}),
            node(),
            (),
            f"1 node(s) didn't match Pod's node affinity/selector. {HELPLESS}",
            id="node-selector",
        ),
        pytest.param(
            pod(),
            node(taints=[{"key": "k", "effect": "NoSchedule"}]),
            (),
            f"1 node(s) had untolerated taint(s). {HELPLESS}",
            id="taint",
        ),
        pytest.param(
            pod(),
            node(unschedulable=True),
            (),
            f"1 node(s) were unschedulable. {HELPLESS}",
            id="cordoned",
        ),
    ],
)
def test_a_pod_that_does_not_fit_is_told_why(
    the_pod: Obj, the_node: Obj, others: tuple[Obj, ...], message: str
) -> None:
    ledger = Ledger()
    for number, other in enumerate(others):
        ledger.enter(named(other, number), named(other, number))
    said = refusal(Observed(the_pod, (the_node,), ledger.used))
    assert said == f"0/1 nodes are available: {message}"


def test_without_nodes_nothing_can_be_scheduled() -> None:
    assert refusal(Observed(pod(), (), {})) == "no nodes available to schedule pods"


def test_the_same_refusal_is_not_repeated() -> None:
    waiting = pod(cpu="3")
    first = plan_binding(Observed(waiting, (node(),), {}), NOW).changes
    (shown,) = [c for c in first if isinstance(c, Patch)]
    waiting["status"] |= shown.body["status"]
    assert plan_binding(Observed(waiting, (node(),), {}), NOW).changes == ()


def test_a_gated_pod_waits_without_an_event() -> None:
    gated = pod(schedulingGates=[{"name": "example.com/gate"}])
    (change,) = plan_binding(Observed(gated, (node(),), {}), NOW).changes
    assert isinstance(change, Patch)
    assert change.body["status"]["conditions"][0]["reason"] == "SchedulingGated"


def test_a_tolerated_taint_does_not_matter() -> None:
    tainted = node(taints=[{"key": "k", "effect": "NoSchedule"}])
    tolerant = pod(tolerations=[{"key": "k", "operator": "Exists"}])
    assert len(plan_binding(Observed(tolerant, (tainted,), {}), NOW).changes) == 3


def test_pods_of_other_schedulers_are_left_alone() -> None:
    assert plan_binding(Observed(pod(schedulerName="mine"), (node(),), {}), NOW).changes == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", 0.1), ("1.5Gi", 1.5 * 2**30), ("2e3", 2000), (4, 4), ("1E", 10**18), ("5n", 5e-9)],
)
def test_quantities(text: Any, value: float) -> None:
    assert float(quantity(text)) == pytest.approx(value)


def test_requests_are_those_of_the_hungriest_moment() -> None:
    def container(cpu: str, **more: Any) -> Obj:
        return {"name": cpu, "resources": {"requests": {"cpu": cpu}}, **more}

    asked = pod_requests(
        {
            "spec": {
                "initContainers": [container("1", restartPolicy="Always"), container("4")],
                "containers": [container("1"), container("2")],
            }
        }
    )
    assert asked == {"cpu": 5}


def test_the_ledger_forgets_pods_that_end_or_go() -> None:
    ledger, first, second = Ledger(), named(placed("1"), 1), named(placed("2"), 2)
    for pod_entered in (first, second, first):
        ledger.enter(pod_entered, pod_entered)
    assert ledger.used["local"] == {"cpu": 3, "pods": 2}
    ledger.enter(first, {**first, "status": {"phase": "Succeeded"}})
    ledger.enter(second, None)
    assert ledger.used["local"] == {"cpu": 0, "pods": 0}
