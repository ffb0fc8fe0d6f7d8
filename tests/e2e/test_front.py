"""What stands in front of a model changes: from a Gateway to Pawl's own router and back, and who
scales it. There is no Gateway controller: the test says what one would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import models
from clusters import Cluster, EmbeddedCluster
from harness import Space, eventually

API = Path(__file__).parents[1] / "data" / "gateway-api"
ROUTE = "httproutes.gateway.networking.k8s.io"
SCALER = "horizontalpodautoscalers.autoscaling"
BUDGET = "poddisruptionbudgets.policy"


def test_a_gateway_gives_way_to_the_router_and_comes_back(space: Space):
    gateway = _gateway(space)
    version = models.imported(space, "m", 1, models.good())
    cpu = {"resources": {"requests": {"cpu": "50m"}}}
    scaled = {"autoscaling": {"min": 1, "max": 2}, "server": cpu}
    routing = {"gateway": {"parentRefs": [{"name": gateway}]}}
    space.create("Deployment", "m", {"model": "m", "routing": routing, **scaled})
    _follow(space, gateway)
    space.serving("m", version)
    assert _names(space, SCALER)
    space.patch("Deployment", "m", {"routing": {"gateway": None}, "autoscaling": None})
    space.until("Deployment", "m", lambda s: s.get("routing") == "Envoy")
    eventually(lambda: not _names(space, ROUTE), "the HTTPRoute to be gone")
    eventually(lambda: not _names(space, SCALER), "the autoscaler to be gone")
    space.patch("Deployment", "m", {"routing": routing})
    eventually(lambda: bool(_names(space, ROUTE)), "an HTTPRoute")
    _follow(space, gateway)
    eventually(lambda: not _names(space, BUDGET), "the routers' budget to be gone")
    space.cluster.kubectl("delete", "gatewayclass", gateway)


def _gateway(space: Space) -> str:
    """A Gateway and its class, as a controller has accepted them; both have the same name."""
    _known(space.cluster)
    name = f"gw-{space.name}"
    group = {"apiVersion": "gateway.networking.k8s.io/v1"}
    features = [{"name": "HTTPRoute"}, {"name": "HTTPRouteRequestMirror"}]
    _apply(
        space,
        {
            **group,
            "kind": "GatewayClass",
            "metadata": {"name": name},
            "spec": {"controllerName": "example.com/test"},
        },
        {"conditions": [_true("Accepted", 1)], "supportedFeatures": features},
    )
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    _apply(
        space,
        {
            **group,
            "kind": "Gateway",
            "metadata": {"name": name, "namespace": space.name},
            "spec": {"gatewayClassName": name, "listeners": [listener]},
        },
        {"conditions": [_true("Accepted", 1)]},
    )
    return name


def _known(cluster: Cluster) -> None:
    """The cluster knows the Gateway API; one that brings its own keeps it."""
    if isinstance(cluster, EmbeddedCluster) or ROUTE not in cluster.kubectl("get", "crd"):
        cluster.kubectl("apply", "--server-side", "-f", str(API))
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{ROUTE}")


def _apply(space: Space, item: dict[str, Any], status: dict[str, Any]) -> None:
    text = json.dumps(item)
    space.cluster.kubectl("apply", "-f", "-", text=text)
    _tell(space, item["kind"], item["metadata"]["name"], status)


def _tell(space: Space, kind: str, name: str, status: dict[str, Any]) -> None:
    """Writes a status, as a controller would."""
    space.cluster.kubectl(
        "patch", kind.lower(), name, "-n", space.name, "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": status}),
    )  # fmt: skip


def _follow(space: Space, gateway: str) -> None:
    """The controller follows the HTTPRoute until its generation stands."""
    eventually(lambda: bool(_names(space, ROUTE)), "an HTTPRoute")

    def followed() -> bool:
        (name,) = _names(space, ROUTE)
        shown = space.cluster.kubectl("get", ROUTE, "-n", space.name, name, "-o", "json")
        generation = json.loads(shown)["metadata"]["generation"]
        conditions = [_true("Accepted", generation), _true("ResolvedRefs", generation)]
        parent = {
            "parentRef": {"name": gateway},
            "controllerName": "example.com/test",
            "conditions": conditions,
        }
        _tell(space, ROUTE, name, {"parents": [parent]})
        status = space.status("Deployment", "m")
        return status.get("routing") == "Gateway" and status.get("phase") == "Serving"

    eventually(followed, lambda: f"the Gateway: {space.status('Deployment', 'm')}")


def _true(kind: str, generation: int) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True",
        "reason": kind,
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def _names(space: Space, resource: str) -> list[str]:
    shown = space.cluster.kubectl("get", resource, "-n", space.name, "-o", "name")
    return [line.partition("/")[2] for line in shown.splitlines() if "/" in line]
