"""Routes: their invariants, their revisions, and what Envoy is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pawl.core.routing import envoy
from pawl.core.routing.route import Backend, Route, Shadow, Sticky


def backend(version: int, weight: int | None) -> Backend:
    return Backend(version, f"churn-v{version}.default.svc.cluster.local.", 8080, weight)


def test_weights_must_sum_to_100():
    with pytest.raises(ValueError, match="sum to 100"):
        Route("churn", (backend(1, 90), backend(2, 20)))


def test_weights_must_not_be_negative():
    with pytest.raises(ValueError, match="positive"):
        Route("churn", (backend(1, 110), backend(2, -10)))


@pytest.mark.parametrize(
    ("shadow", "sticky"),
    [
        pytest.param(None, None, id="plain"),
        pytest.param(Shadow(2, 30), Sticky("x-user-id", "churn-v2.1"), id="shadow and sticky"),
    ],
)
def test_json_and_back(shadow: Shadow | None, sticky: Sticky | None):
    route = Route("churn", (backend(1, 100), backend(2, None)), 12, shadow, sticky, tls=True)
    assert Route.from_json(route.to_json()) == route


def test_a_route_that_was_written_before_there_were_shadows_is_read():
    text = (
        '{"backends":[{"host":"churn-v1.default.svc.cluster.local.","port":8080,"version":1,'
        '"weight":100}],"model":"churn","timeout_seconds":30}'
    )
    assert Route.from_json(text) == Route("churn", (backend(1, 100),))


@pytest.mark.parametrize(
    "version", [pytest.param(1, id="has traffic"), pytest.param(3, id="is no backend")]
)
def test_the_shadow_is_a_backend_without_traffic(version: int):
    with pytest.raises(ValueError, match="shadow"):
        Route("churn", (backend(1, 100), backend(2, 0)), shadow=Shadow(version, 100))


@pytest.mark.parametrize("header", ["X-User", "x-pawl-user", "", "a:b", "x user"])
def test_a_sticky_header_is_a_lower_case_name_of_the_users(header: str):
    with pytest.raises(ValueError, match="header"):
        Route("churn", (backend(1, 100),), sticky=Sticky(header, "s"))


@pytest.mark.parametrize("salt", ["", "a\\1", "a b", "a" * 65])
def test_a_salt_is_a_plain_word(salt: str):
    with pytest.raises(ValueError, match="salt"):
        Route("churn", (backend(1, 100),), sticky=Sticky("x-user", salt))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not json"),
        pytest.param("[]", id="a list"),
        pytest.param("7", id="a number"),
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


def test_shadow_and_sticky_change_the_routes_and_only_another_shadow_the_clusters():
    plain = Route("churn", (backend(1, 100), backend(2, None)))
    sticky = replace(plain, sticky=Sticky("x-user", "a"))
    shadow = replace(plain, shadow=Shadow(2, 10))
    more = replace(plain, shadow=Shadow(2, 20))
    salted = replace(plain, sticky=Sticky("x-user", "b"))
    assert len({r.routes_revision for r in (plain, sticky, shadow, more, salted)}) == 5
    assert sticky.clusters_revision == plain.clusters_revision
    assert shadow.clusters_revision == more.clusters_revision != plain.clusters_revision


def test_the_main_version_is_the_one_with_the_largest_weight():
    def main(*weights: int | None) -> int | None:
        route = Route("churn", tuple(backend(n, w) for n, w in enumerate(weights, 1)))
        return route.main.version if route.main is not None else None

    assert (main(95, 5), main(5, 95), main(50, 50), main(None)) == (1, 2, 1, None)


def test_a_known_version_is_a_cluster_but_in_no_route():
    route = Route("churn", (backend(7, 100), backend(8, None)))
    names = [cluster["name"] for cluster in envoy.clusters(route)["resources"]]
    assert names == ["v7", "v7-direct", "v8", "v8-direct"]
    assert "v8" not in str(envoy.routes(route))
