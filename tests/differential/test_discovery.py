"""What clients ask a server about itself. The embedded cluster serves fewer kinds (see
docs/local-cluster.md): of those that it serves, everything is the same."""

from __future__ import annotations

from typing import Any

import pytest
from both import Both, told
from objects import GROUP

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
GROUPS = (
    "/api/v1",
    "/apis/apps/v1",
    "/apis/batch/v1",
    "/apis/autoscaling/v2",
    "/apis/policy/v1",
    "/apis/discovery.k8s.io/v1",
    "/apis/coordination.k8s.io/v1",
    "/apis/networking.k8s.io/v1",
    "/apis/rbac.authorization.k8s.io/v1",
    "/apis/apiextensions.k8s.io/v1",
    f"/apis/{GROUP}/v1",
    "/apis/pawl.dev/v1alpha1",
)


def answers(both: Both, path: str, **headers: str) -> tuple[Any, Any]:
    given = [side.send("GET", path, {}, None, headers).body for side in both.clusters]
    return given[0], given[1]


@pytest.mark.parametrize("path", GROUPS)
def test_the_resources_of_a_group(both: Both, path: str) -> None:
    ours, others = answers(both, path)
    theirs = {resource["name"]: resource for resource in others["resources"]}
    for resource in ours["resources"]:
        expected = theirs[resource["name"]]
        for one in (resource, expected):
            one.pop("storageVersionHash", None)
            one["verbs"] = sorted(one["verbs"])
        told(path, resource, expected)
    told(path, {**ours, "resources": 0}, {**others, "resources": 0})


def test_aggregated_discovery_of_custom_groups(both: Both) -> None:
    ours, others = answers(both, "/apis", Accept=AGGREGATED)
    wanted = (GROUP, "pawl.dev")

    def found(body: Any) -> dict[str, Any]:
        groups = {item["metadata"]["name"]: item["versions"] for item in body["items"]}
        return {name: groups[name] for name in wanted}

    told("/apis", found(ours), found(others))


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health(both: Both, path: str) -> None:
    both.get(path, accept="*/*")


@pytest.mark.parametrize(
    "path", ["/apis/none.such", "/apis/none.such/v1", "/none", "/api/v2", f"/apis/{GROUP}"]
)
def test_paths(both: Both, path: str) -> None:
    both.get(path)


def test_the_schema_of_a_custom_resource(both: Both) -> None:
    ours, others = answers(both, f"/openapi/v3/apis/{GROUP}/v1")
    for name in ("Widget", "WidgetList"):
        key = f"dev.pawl.differential.v1.{name}"
        told(name, ours["components"]["schemas"][key], others["components"]["schemas"][key])
    told("paths", methods(ours), methods(others))


def methods(document: Any) -> dict[str, list[str]]:
    """Path -> what may be done there; parameters may stand at a path, or at each method."""
    return {path: sorted(item.keys() - {"parameters"}) for path, item in document["paths"].items()}
