"""Eviction: a deletion that asks the PodDisruptionBudget of the pod first
(pkg/registry/core/pod/storage/eviction.go)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pawl.local.api import errors, metadata, selectors
from pawl.local.api.deletion import DeleteOptions

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
BUDGETS = "policy/poddisruptionbudgets"
_RETRY_SECONDS = 10
_MANAGER = "kube-apiserver"


def evict(registry: Registry, namespace: str, name: str, options: DeleteOptions) -> None:
    """ApiError 404, 429 when the budget has nothing left, 500 when there are several budgets."""
    pods = registry.catalog.named("pods")
    pod = registry.item(pods, namespace, name).obj
    budgets = [] if _unprotected(pod) else _budgets(registry, pod)
    if len(budgets) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource "
        raise errors.internal(text + "does not support.")
    for budget in budgets:
        if _spends(pod, budget):
            _spend(registry, budget, name, dry_run=options.dry_run)
    if not options.dry_run:
        _mark(registry, pod)
    registry.delete_item(pods, namespace, name, options)


def _mark(registry: Registry, pod: Obj) -> None:
    """So that a Job can tell that the pod did not fail of its own accord."""
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": metadata.stamp(datetime.now(UTC)),
    }
    status = pod.get("status") or {}
    others = [c for c in status.get("conditions") or () if c["type"] != target["type"]]
    marked = {**pod, "status": {**status, "conditions": [*others, target]}}
    registry.update(
        "pods", pod["metadata"]["namespace"], marked, manager=_MANAGER, subresource="status"
    )


def _unprotected(pod: Obj) -> bool:
    """Budgets speak of pods that run."""
    phase = pod.get("status", {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or "deletionTimestamp" in pod["metadata"]


def _budgets(registry: Registry, pod: Obj) -> list[Obj]:
    labels = pod["metadata"].get("labels") or {}
    return [
        budget
        for budget in registry.list(BUDGETS, pod["metadata"]["namespace"])
        if selectors.select(budget["spec"].get("selector"), labels)
    ]


def _spends(pod: Obj, budget: Obj) -> bool:
    """Whether the eviction counts: a pod that is not ready may go while enough others are."""
    conditions = pod.get("status", {}).get("conditions") or ()
    if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
        return True
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy", 0)
    return not (desired > 0 and status.get("currentHealthy", 0) >= desired)


def _spend(registry: Registry, budget: Obj, pod: str, *, dry_run: bool) -> None:
    """Take one disruption from the budget. ApiError 429."""
    meta, status = budget["metadata"], copy.deepcopy(budget.get("status") or {})
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        said = f"The disruption budget {meta['name']} is still being processed by the server."
        raise _refused(said)
    if status.get("disruptionsAllowed", 0) <= 0:
        raise _refused(
            f"The disruption budget {meta['name']} needs {status.get('desiredHealthy', 0)} healthy "
            f"pods and has {status.get('currentHealthy', 0)} currently"
        )
    if dry_run:
        return
    status["disruptionsAllowed"] -= 1
    status.setdefault("disruptedPods", {})[pod] = metadata.stamp(datetime.now(UTC))
    changed = {**budget, "status": status}
    registry.update(BUDGETS, meta["namespace"], changed, manager=_MANAGER, subresource="status")


def _refused(cause: str) -> errors.ApiError:
    text = "Cannot evict pod as it would violate the pod's disruption budget."
    causes = [{"reason": "DisruptionBudget", "message": cause}]
    details = {"causes": causes, "retryAfterSeconds": _RETRY_SECONDS}
    return errors.ApiError(429, "TooManyRequests", text, details)
