"""status, scale, and what else hangs on an object."""

from __future__ import annotations

from typing import Any

import pytest
from both import JSON, MERGE, SCALE_TIME, WORDS, Both
from objects import WIDGET, config_map, pod, service, widget, workload

DEPLOYMENTS = "apps/v1/deployments"
TIMES = dict.fromkeys(("lastProbeTime", "lastTransitionTime"), "2026-01-01T00:00:00Z")


def test_status_of_a_custom_resource(both: Both) -> None:
    both.post(WIDGET, widget(status={"phase": "Lost"}))
    both.get(f"{WIDGET}/a/status")
    made = both.patch(
        f"{WIDGET}/a/status", MERGE, {"status": {"phase": "Done", "x": 1}, "spec": {"replicas": 5}}
    )
    both.patch(f"{WIDGET}/a/status", MERGE, {"status": {"phase": 1}})
    both.patch(f"{WIDGET}/a/status", MERGE, {"metadata": {"labels": {"a": "b"}}})
    both.patch(f"{WIDGET}/a", MERGE, {"spec": {"replicas": 2}, "status": {"phase": "No"}})
    both.put(f"{WIDGET}/a/status", made)
    both.patch(f"{WIDGET}/a/status", JSON, [{"op": "remove", "path": "/status/phase"}])
    both.patch(f"{WIDGET}/none/status", MERGE, {"status": {}})


@SCALE_TIME
def test_scale_of_a_custom_resource(both: Both) -> None:
    both.post(WIDGET, widget(replicas=2))
    both.patch(f"{WIDGET}/a/status", MERGE, {"status": {"replicas": 1, "selector": "a=b"}})
    both.get(f"{WIDGET}/a/scale")
    both.patch(f"{WIDGET}/a/scale", MERGE, {"spec": {"replicas": 3}})
    both.patch(f"{WIDGET}/a/scale", MERGE, {"spec": {"replicas": -3}})
    both.get(f"{WIDGET}/a")
    both.get(f"{WIDGET}/none/scale")


def test_scale_of_a_deployment(both: Both) -> None:
    both.post(DEPLOYMENTS, workload(paused=True), drop=("metadata", "status"))
    both.get(f"{DEPLOYMENTS}/a/scale", drop=("metadata",))
    both.patch(f"{DEPLOYMENTS}/a/scale", MERGE, {"spec": {"replicas": 0}}, drop=("metadata",))
    both.patch(f"{DEPLOYMENTS}/a/scale", MERGE, {"spec": {"replicas": -1}})


def test_the_kinds_that_have_none(both: Both) -> None:
    both.post("configmaps", config_map())
    for subresource in ("status", "scale", "nonesuch"):
        both.get(f"configmaps/a/{subresource}")
        both.patch(f"configmaps/a/{subresource}", MERGE, {})


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"phase": "Failed", "reason": "X"}, id="phase"),
        pytest.param({"conditions": [{"type": "T", "status": "True", **TIMES}]}, id="condition"),
        pytest.param({"conditions": [{"type": "T", "status": True}]}, id="wrong-type", marks=WORDS),
    ],
)
def test_status_of_a_pod(both: Both, status: Any) -> None:
    both.post("pods", pod())
    both.patch("pods/a/status", MERGE, {"status": status})
    both.get("pods/a")


def test_what_a_pod_cannot_change(both: Both) -> None:
    both.post("pods", pod())
    both.patch("pods/a", MERGE, {"spec": {"restartPolicy": "Never"}})
    both.patch("pods/a", MERGE, {"spec": {"activeDeadlineSeconds": 5}})


def test_binding_and_eviction(both: Both) -> None:
    both.post("pods/none/eviction", {"metadata": {"name": "none"}})
    both.post("pods", pod())
    both.post("pods/a/eviction", {"metadata": {"name": "b"}})
    both.post("pods/a/eviction", {"metadata": {"name": "a"}})
    both.get("pods/a")


def test_a_cluster_ip_stays(both: Both) -> None:
    both.post("services", service())
    both.patch("services/a", MERGE, {"spec": {"ports": [{"port": 81}]}})
    both.patch("services/a", MERGE, {"spec": {"clusterIP": "None"}})
    both.patch("services/a", MERGE, {"spec": {"ports": []}})
