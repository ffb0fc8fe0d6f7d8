"""What a router's pages say."""

from __future__ import annotations

import json

from pawl.control.routers import parse_state
from pawl.core.routing.state import Totals

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
