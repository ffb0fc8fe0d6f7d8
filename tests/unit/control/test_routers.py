"""What a router's pages say."""

from __future__ import annotations

import json

from pawl.control.routers import parse_state

TEXTS = """cluster_manager.cds.version_text: "aaaa"
http.http.rds.models.version_text: "bbbb"
listener_manager.lds.version_text: ""
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
