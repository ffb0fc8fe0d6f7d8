"""What a router's pages say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pawl.control import routers
from pawl.control.routers import Routers, parse_state
from pawl.core.routing.state import RouterState, Totals

TEXTS = """cluster_manager.cds.version_text: "aaaa"
http.http.rds.models.version_text: "bbbb"
listener_manager.lds.version_text: ""
cluster.v7.upstream_cx_destroy_local_with_active_rq: 9
cluster.v7.upstream_rq_4xx: 1
cluster.v7.upstream_rq_5xx: 3
cluster.v7.upstream_rq_cancelled: 1
cluster.v7.upstream_rq_completed: 1000
cluster.v7.upstream_rq_timeout: 3
cluster.v8-shadow.upstream_rq_completed: 90
cluster.v8-shadow.upstream_rq_5xx: 11
cluster.v8-shadow.upstream_rq_cancelled: 2
cluster.v8-shadow.upstream_rq_pending_overflow: 10
cluster.v8-direct.upstream_rq_completed: 2
server.uptime: 61
"""


def host(healthy: bool, active: int) -> dict[str, object]:
    health = {"eds_health_status": "HEALTHY"}
    if not healthy:
        health["failed_active_health_check"] = True  # type: ignore[assignment]
    return {
        "health_status": health,
        "stats": [{"name": "rq_active", "value": str(active)}, {"name": "rq_total", "value": "9"}],
    }


def test_revisions_healthy_hosts_and_active_requests():
    clusters = {
        "cluster_statuses": [
            {"name": "admin", "host_statuses": [host(True, 1)]},
            {"name": "v7", "host_statuses": [host(True, 2), host(False, 1)]},
            {"name": "v8"},
        ]
    }
    state = parse_state(TEXTS, json.dumps(clusters).encode())
    assert (state.clusters_revision, state.routes_revision) == ("aaaa", "bbbb")
    assert state.healthy == {7: 1, 8: 0}
    assert state.active == {7: 3, 8: 0}


def test_a_router_that_has_loaded_nothing_confirms_nothing():
    state = parse_state("", b"{}")
    assert state.clusters_revision is None
    assert state.routes_revision is None


def test_a_host_is_healthy_when_both_clusters_of_its_version_say_so():
    clusters = {
        "cluster_statuses": [
            {"name": "v7", "host_statuses": [host(True, 2), host(True, 1)]},
            {"name": "v7-direct", "host_statuses": [host(True, 4), host(False, 0)]},
            {"name": "v7-shadow", "host_statuses": [host(False, 8)]},
        ]
    }
    state = parse_state(TEXTS, json.dumps(clusters).encode())
    assert state.healthy == {7: 1}
    assert state.active == {7: 7}


def test_requests_by_weight_and_copies_are_counted_apart():
    state = parse_state(TEXTS, b"{}")
    assert state.totals == {7: Totals(1007, 11, abandoned=7)}
    assert state.mirrored == {8: Totals(80, 1)}
    assert state.uptime == 61


class Envoy:
    """A router pod: what its two pages say, in pieces of a few bytes."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {"stats": TEXTS.encode(), "clusters": b"{}"}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        body = self.pages[request.match_info["page"]]
        for start in range(0, len(body), 100):
            await response.write(body[start : start + 100])
        return response


@pytest.fixture
async def envoy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Envoy]:
    made, app = Envoy(), web.Application()
    app.router.add_get("/{page}", made.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        monkeypatch.setattr(routers, "ROUTER_STATE_PORT", server.port)
        yield made


def pod(*, ready: bool = True, restarts: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"name": "router-a", "uid": "u", "annotations": {"pawl.dev/refresh": "x-1"}},
        "status": {
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


async def states(*pods: dict[str, Any]) -> tuple[RouterState, ...]:
    session = Routers()
    try:
        return await session.states(pods)
    finally:
        await session.close()


async def test_a_ready_router_is_asked(envoy: Envoy):
    envoy.pages["stats"] = (TEXTS + "cluster.v9.upstream_rq_5xx: 1\n" * 5000).encode()
    (state,) = await states(pod(restarts=2), pod(ready=False))
    assert (state.pod, state.touched, state.started) == ("router-a", "x-1", "u/2")
    assert (state.routes_revision, state.uptime) == ("bbbb", 61)
    assert state.totals[7].requests == 1007


@pytest.mark.parametrize(
    "clusters",
    [
        pytest.param(b"[]", id="a list"),
        pytest.param(b"<html>", id="a page for people"),
        pytest.param(b'{"cluster_statuses": [{}]}', id="clusters without names"),
        pytest.param(b'{"cluster_statuses": 7}', id="no clusters"),
        pytest.param(b" " * (5 << 20), id="too much"),
    ],
)
async def test_what_is_no_router_confirms_nothing(envoy: Envoy, clusters: bytes):
    envoy.pages["clusters"] = clusters
    (state,) = await states(pod())
    assert (state.pod, state.clusters_revision, state.routes_revision) == ("router-a", None, None)
    assert (state.totals, state.healthy) == ({}, {})
