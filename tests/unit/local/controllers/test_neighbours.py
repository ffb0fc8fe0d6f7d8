"""Which pods may be beside which, in the scheduler's words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.local.controllers.changes import Emit
from pawl.local.controllers.objects import Obj
from pawl.local.controllers.scheduler import Observed, plan_binding

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
WEB = {"matchLabels": {"app": "web"}}
HOST, ZONE = "kubernetes.io/hostname", "zone"


def node(name: str = "a", zone: str | None = "z") -> Obj:
    labels = {HOST: name} | ({ZONE: zone} if zone else {})
    allocatable = {"cpu": "2", "memory": "1Gi", "pods": "9"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"allocatable": allocatable},
    }


def pod(app: str, on: str | None = None, namespace: str = "default", **spec: Any) -> Obj:
    bound = {"nodeName": on} if on else {}
    return {
        "metadata": {"name": app, "namespace": namespace, "labels": {"app": app}},
        "spec": {"containers": [{"name": "c"}], **bound, **spec},
        "status": {"phase": "Pending"},
    }


def affinity(kind: str, topology: str = HOST, **term: Any) -> dict[str, Any]:
    found = {"topologyKey": topology, "labelSelector": WEB, **term}
    return {"affinity": {kind: {REQUIRED: [found]}}}


def spread(**constraint: Any) -> dict[str, Any]:
    found = {
        "maxSkew": 1,
        "topologyKey": HOST,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": WEB,
    }
    return {"topologySpreadConstraints": [found | constraint]}


def said(new: Obj, placed: list[Obj], nodes: tuple[Obj, ...] = (node(),)) -> str:
    """Why the pod is not placed; empty when it is."""
    changes = plan_binding(Observed(new, nodes, {}, tuple(placed)), NOW).changes
    (told,) = (change for change in changes if isinstance(change, Emit))
    return "" if told.reason == "Scheduled" else told.message


@pytest.mark.parametrize(
    ("new", "placed", "why"),
    [
        pytest.param(pod("db", **affinity("podAffinity")), [pod("web", "a")], "", id="company"),
        pytest.param(
            pod("db", **affinity("podAffinity")), [], "didn't match pod affinity", id="none"
        ),
        pytest.param(pod("web", **affinity("podAffinity")), [], "", id="the first of its kind"),
        pytest.param(
            pod("web", **affinity("podAffinity", "rack")),
            [pod("web", "a")],
            "didn't match pod affinity",
            id="a node without the label",
        ),
        pytest.param(
            pod("db", **affinity("podAffinity")),
            [pod("web", "a", "other")],
            "didn't match pod affinity",
            id="company in another namespace",
        ),
        pytest.param(
            pod("db", **affinity("podAffinity", namespaces=["other"])),
            [pod("web", "a", "other")],
            "",
            id="which the term names",
        ),
        pytest.param(
            pod("db", **affinity("podAntiAffinity")),
            [pod("web", "a")],
            "didn't match pod anti-affinity rules",
            id="away from it",
        ),
        pytest.param(
            pod("web"),
            [pod("db", "a", **affinity("podAntiAffinity"))],
            "didn't satisfy existing pods anti-affinity rules",
            id="it keeps away",
        ),
        pytest.param(
            pod("web", **affinity("podAntiAffinity", matchLabelKeys=["app"])),
            [pod("web", "a")],
            "anti-affinity",
            id="of the same label",
        ),
        pytest.param(pod("web", **spread()), [pod("web", "a")] * 5, "", id="one domain is even"),
        pytest.param(
            pod("web", **spread(topologyKey="rack")),
            [],
            "topology spread constraints (missing required label)",
            id="a domain that the node has not",
        ),
        pytest.param(
            pod("web", **spread(minDomains=2)),
            [pod("web", "a")],
            "didn't match pod topology spread constraints",
            id="too few domains",
        ),
        pytest.param(
            pod("web", **spread(topologyKey="rack", whenUnsatisfiable="ScheduleAnyway")),
            [],
            "",
            id="only preferred",
        ),
    ],
)
def test_beside_the_pods_that_are_there(new: Obj, placed: list[Obj], why: str):
    assert why in said(new, placed)
    assert bool(why) is bool(said(new, placed))


def test_pods_are_spread_over_nodes():
    nodes = (node("a"), node("b"))
    changes = plan_binding(Observed(pod("web", **spread()), nodes, {}, (pod("web", "a"),)), NOW)
    told = [change.message for change in changes.changes if isinstance(change, Emit)]
    assert told == ["Successfully assigned default/web to b"]
