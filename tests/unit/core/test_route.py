"""Routes: their invariants, their revisions, and what Envoy is told."""

from __future__ import annotations

import pytest

from pawl.core.routing import envoy
from pawl.core.routing.route import Backend, Route


def backend(version: int, weight: int | None) -> Backend:
    return Backend(version, f"churn-v{version}.default.svc.cluster.local.", 8080, weight)


def test_weights_must_sum_to_100():
    with pytest.raises(ValueError, match="sum to 100"):
        Route("churn", (backend(1, 90), backend(2, 20)))


def test_weights_must_not_be_negative():
    with pytest.raises(ValueError, match="positive"):
        Route("churn", (backend(1, 110), backend(2, -10)))


def test_json_and_back():
    route = Route("churn", (backend(1, 100), backend(2, None)), 12)
    assert Route.from_json(route.to_json()) == route


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not json"),
        pytest.param("[]", id="not an object"),
        pytest.param('{"model":"m"}', id="no backends"),
        pytest.param('{"model":"m","backends":[{"version":1}]}', id="half a backend"),
    ],
)
def test_what_is_no_route_is_a_value_error(text: str):
    with pytest.raises(ValueError):  # noqa: PT011 - the text is free
        Route.from_json(text)


def test_a_weight_changes_the_routes_and_not_the_clusters():
    one = Route("churn", (backend(1, 100), backend(2, 0)))
    two = Route("churn", (backend(1, 0), backend(2, 100)))
    assert one.clusters_revision == two.clusters_revision
    assert one.routes_revision != two.routes_revision


def test_a_known_version_is_a_cluster_but_in_no_route():
    route = Route("churn", (backend(7, 100), backend(8, None)))
    names = [cluster["name"] for cluster in envoy.clusters(route)["resources"]]
    assert names == ["v7", "v8"]
    assert "v8" not in str(envoy.routes(route))


def test_the_admin_interface_is_no_port():
    assert "pipe" in envoy.bootstrap()["admin"]["address"]
