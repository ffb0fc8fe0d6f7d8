"""The two fronts through the planner: Pawl's routers, and Gateways that follow an HTTPRoute."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from serving_world import Serving, serving, version

from pawl.core.deployment import DeploymentObserved
from pawl.core.front import FrontObserved
from pawl.core.routing.gateway import API_VERSION
from pawl.core.routing.route import Route

GATEWAY = {"parentRefs": [{"name": "public", "namespace": "infra"}], "hostnames": ["churn.example"]}
MIRROR = "HTTPRouteRequestMirror"


def gateway_class(*features: str, accepted: str = "True") -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "GatewayClass",
        "metadata": {"name": "some", "generation": 1},
        "status": {
            "conditions": [{"type": "Accepted", "status": accepted, "observedGeneration": 1}],
            "supportedFeatures": [{"name": name} for name in ("HTTPRoute", *features)],
        },
    }


class Behind(Serving):
    """A cluster with a Gateway; `accepts` is whether its controller looks at routes."""

    gateway_class = gateway_class()
    accepts = True

    def observe(self) -> DeploymentObserved:
        observed = super().observe()
        gateway = {
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "infra"},
            "spec": {"gatewayClassName": "some"},
        }
        if "gateway" not in observed.object["spec"].get("routing", {}):
            route = self.objects.get(("HTTPRoute", "churn"))
            known = observed.object.get("status", {}).get("routing") == "Gateway"
            left = (copy.deepcopy(route),) if known and route is not None else ()
            return replace(observed, front=replace(observed.front, leftovers=left))
        leftovers = [
            item
            for item in self.objects.values()
            if item["metadata"].get("labels", {}).get("pawl.dev/role") == "router"
            and item["kind"] != "HTTPRoute"
        ]
        front = FrontObserved(
            http_route=copy.deepcopy(self.objects.get(("HTTPRoute", "churn"))),
            gateways=(gateway,),
            gateway_classes=(self.gateway_class,),
            leftovers=tuple(leftovers),
        )
        return DeploymentObserved(**{**vars(observed), "front": front})

    def follow(self) -> None:
        super().follow()
        route = self.objects.get(("HTTPRoute", "churn"))
        if route is None or not self.accepts:
            return
        generation = route["metadata"].setdefault("generation", 1)
        conditions = [
            {"type": kind, "status": "True", "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parent = {"name": "public", "namespace": "infra"}
        route["status"] = {"parents": [{"parentRef": parent, "conditions": conditions}]}

    def route_of_gateway(self) -> Route:
        text = self.objects[("HTTPRoute", "churn")]["metadata"]["annotations"]["pawl.dev/route"]
        return Route.from_json(text)


def behind(*versions: Any, **spec: Any) -> Behind:
    world: Behind = serving(*versions, make=Behind, **{"routing": {"gateway": GATEWAY}, **spec})
    return world


def test_a_gateway_serves_without_router_pods():
    world = behind(version(1))
    world.settle()
    status = world.status("Deployment", "churn")
    assert status["stable"]["name"] == "churn-v1"
    assert status["url"] == "http://churn.example/v2/models/churn"
    assert status["routing"] == "Gateway"
    assert not world.workloads("router")
    assert ("ConfigMap", "churn-router") not in world.objects


def test_servers_behind_a_gateway_join_copies_by_what_was_asked():
    world = behind(version(1))
    world.settle()
    env = world.workloads("server")[0]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "PAWL_PAIR_BY", "value": "body"} in env


def test_nothing_is_taken_as_served_before_the_gateway_says_so():
    world = behind(version(1))
    world.accepts = False
    world.settle()
    assert "stable" not in world.status("Deployment", "churn")
    world.accepts = True
    world.settle()
    assert world.status("Deployment", "churn")["stable"]["name"] == "churn-v1"


@pytest.mark.parametrize(
    ("features", "rollout", "why"),
    [
        pytest.param((), {"shadow": {}}, MIRROR, id="shadow without mirror"),
        pytest.param((MIRROR,), {"shadow": {"percent": 10}}, "Percentage", id="a part of it"),
        pytest.param(
            (),
            {"canary": {"sticky": {"header": "x-user"}, "steps": [{"weight": 5}]}},
            "sticky",
            id="sticky",
        ),
    ],
)
def test_what_gateways_cannot_do_is_refused_and_what_is_served_goes_on(
    features: tuple[str, ...], rollout: dict[str, Any], why: str
):
    world = behind(version(1))
    world.settle()
    world.gateway_class = gateway_class(*features)
    item = world.objects[("Deployment", "churn")]
    world.add({**item, "spec": {**item["spec"], "rollout": rollout}})
    world.settle()
    status = world.status("Deployment", "churn")
    stalled = next(c for c in status["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "NotSupported")
    assert why in stalled["message"]
    assert world.route_of_gateway().weights == {1: 100}


def test_the_gateway_leaves_when_the_routers_serve():
    world = behind(version(1))
    world.settle()
    item = world.objects[("Deployment", "churn")]
    world.add({**item, "spec": {**item["spec"], "routing": {}}})
    world.settle()
    assert ("HTTPRoute", "churn") not in world.objects
    assert world.workloads("router")
    assert world.status("Deployment", "churn")["routing"] == "Envoy"


def test_routers_leave_when_the_gateway_serves():
    world = behind(version(1), routing={})
    world.settle()
    assert world.workloads("router")
    item = world.objects[("Deployment", "churn")]
    world.add({**item, "spec": {**item["spec"], "routing": {"gateway": GATEWAY}}})
    world.accepts = False
    world.settle()
    assert world.workloads("router")
    world.accepts = True
    world.settle()
    assert not world.workloads("router")
    assert world.route_of_gateway().weights == {1: 100}
