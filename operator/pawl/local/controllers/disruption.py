"""Status of PodDisruptionBudgets: how many pods may be evicted now (pkg/controller/disruption)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pawl.local.api.registry import Registry
from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Change, Emit, Plan, SetStatus, Shell
from pawl.local.controllers.objects import (
    Key,
    Obj,
    controller_of,
    deleting,
    find_condition,
    key_of,
    labels,
    matches,
    meta,
    name,
    namespace,
    parse_time,
    scaled,
    spec,
    stamp,
    status,
)

RESOURCE = "policy/poddisruptionbudgets"
_EVICTION_TIMEOUT = timedelta(minutes=2)  # after which an evicted pod that stays is counted again


@dataclass(frozen=True)
class Observed:
    """A budget, the pods that it selects, and how many pods their controllers want together."""

    budget: Obj
    pods: tuple[Obj, ...]
    scale: int


def plan_budget(observed: Observed, now: datetime) -> Plan:
    budget, before = observed.budget, status(observed.budget)
    evicted = _evicted(observed, now)
    present = [p for p in observed.pods if not deleting(p) and name(p) not in evicted]
    healthy = sum(pod_rules.is_ready(pod) for pod in present)
    desired, expected = _wanted(observed)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    new: Obj = {
        "observedGeneration": meta(budget).get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": _conditions(observed, allowed > 0, now),
    }
    if evicted:
        new["disruptedPods"] = {pod: before["disruptedPods"][pod] for pod in evicted}
    waits = [(at + _EVICTION_TIMEOUT - now).total_seconds() for at in evicted.values()]
    changes: list[Change] = []
    if new != before:
        changes.append(SetStatus(RESOURCE, budget, new))
        if not observed.pods:
            changes.append(Emit(budget, "Normal", "NoPods", "No matching pods found"))
    return Plan(tuple(changes), requeue_after=min(waits, default=None))


def _wanted(observed: Observed) -> tuple[int, int]:
    """(healthy pods that must stay, pods that there should be)."""
    limits = spec(observed.budget)
    if (most := limits.get("maxUnavailable")) is not None:
        lost = scaled(most, observed.scale, round_up=True)
        return max(observed.scale - lost, 0), observed.scale
    least = limits.get("minAvailable")
    if isinstance(least, str):
        return scaled(least, observed.scale, round_up=True), observed.scale
    return int(least or 0), len(observed.pods)


def _evicted(observed: Observed, now: datetime) -> dict[str, datetime]:
    """Pods whose eviction was granted a short while ago, and that are still there."""
    noted = status(observed.budget).get("disruptedPods") or {}
    found: dict[str, datetime] = {}
    for pod in observed.pods:
        at = parse_time(noted.get(name(pod)))
        if at is not None and not deleting(pod) and at + _EVICTION_TIMEOUT >= now:
            found[name(pod)] = at
    return found


def _conditions(observed: Observed, allowed: bool, now: datetime) -> list[Obj]:
    old: list[Obj] = status(observed.budget).get("conditions") or []
    before = find_condition(old, "DisruptionAllowed")
    new = {
        "type": "DisruptionAllowed",
        "status": str(allowed),
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": meta(observed.budget).get("generation", 0),
        "lastTransitionTime": stamp(now),
    }
    if before is not None and before["status"] == new["status"]:
        new["lastTransitionTime"] = before["lastTransitionTime"]
    return [*(c for c in old if c is not before), new]


class DisruptionController:
    name = "disruption"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "controllermanager")

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {RESOURCE: lambda budget: [key_of(budget)], "pods": self._of_pod}

    def reconcile(self, key: Key, now: datetime) -> float | None:
        budget = self._shell.find(RESOURCE, key)
        if budget is None or deleting(budget):
            return None
        selector = spec(budget).get("selector")
        everyone = self._shell.registry.list("pods", key.namespace)
        pods = tuple(pod for pod in everyone if matches(selector, labels(pod)))
        plan = plan_budget(Observed(budget, pods, self._scale(pods)), now)
        self._shell.apply(plan.changes)
        return plan.requeue_after

    def _of_pod(self, pod: Obj) -> Iterable[Key]:
        budgets = self._shell.registry.list(RESOURCE, namespace(pod))
        return [key_of(b) for b in budgets if matches(spec(b).get("selector"), labels(pod))]

    def _scale(self, pods: tuple[Obj, ...]) -> int:
        """Sum of what the topmost controllers of the pods want."""
        wanted: dict[str, int] = {}
        for pod in pods:
            owner = self._topmost(pod)
            if owner is not None:
                replicas = spec(owner).get("replicas", spec(owner).get("parallelism"))
                wanted[meta(owner)["uid"]] = 1 if replicas is None else int(replicas)
        return sum(wanted.values())

    def _topmost(self, obj: Obj) -> Obj | None:
        found = None
        while (ref := controller_of(found or obj)) is not None:
            served = self._shell.registry.catalog.by_kind(ref["apiVersion"], ref["kind"])
            if served is None:
                break
            above = self._shell.find(served.table, Key(namespace(obj), ref["name"]))
            # an owner of ours above a Deployment has no replicas: the Deployment's count
            if above is None or not {"replicas", "parallelism"} & spec(above).keys():
                break
            found = above
        return found
