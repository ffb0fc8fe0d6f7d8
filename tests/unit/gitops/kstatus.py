"""What Flux makes of an object with `wait: true`: the rules of kstatus for kinds that it does not
know, in their order (sigs.k8s.io/cli-utils, pkg/kstatus/status: generic.go and status.go)."""

from __future__ import annotations

from typing import Any

#: "group/Kind" of those that have rules of their own there.
KNOWN = {
    "Service", "Pod", "Secret", "PersistentVolumeClaim", "ConfigMap", "batch/CronJob", "batch/Job",
    "apps/StatefulSet", "apps/DaemonSet", "apps/Deployment", "apps/ReplicaSet",
    "extensions/DaemonSet", "extensions/Deployment", "extensions/ReplicaSet",
    "policy/PodDisruptionBudget", "apiextensions.k8s.io/CustomResourceDefinition",
}  # fmt: skip


def compute(item: dict[str, Any]) -> str:
    """InProgress, Failed, Current or Terminating."""
    group = item["apiVersion"].rpartition("/")[0]
    assert f"{group}/{item['kind']}".lstrip("/") not in KNOWN
    meta, status = item["metadata"], item.get("status") or {}
    if meta.get("deletionTimestamp"):
        return "Terminating"
    seen = status.get("observedGeneration")
    if "generation" in meta and seen is not None and seen != meta["generation"]:
        return "InProgress"
    conditions = status.get("conditions") or []
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in ("Reconciling", "Stalled"):
            return "InProgress" if condition["type"] == "Reconciling" else "Failed"
    ready = next((c["status"] for c in conditions if c["type"] == "Ready"), "True")
    return "Current" if ready == "True" else "InProgress"
