"""Binds pods to the one node of the cluster, or says why it cannot (pkg/scheduler).

Checked, with the scheduler's own words: the node is there and schedulable; its taints; the pod's
nodeSelector and required node affinity; free cpu, memory, pods and other counted resources; the
pods that are there (`neighbours`).
There is no preemption: a pod never makes room for another.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pawl.local.api.registry import Registry
from pawl.local.controllers import neighbours
from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Change, Emit, Patch, Plan, Shell
from pawl.local.controllers.objects import (
    Key,
    Obj,
    condition,
    deleting,
    key_of,
    labels,
    matches,
    name,
    namespace,
    spec,
    stamp,
    status,
    uid,
)
from pawl.local.controllers.resources import PODS, Amounts, Ledger, demands, quantities

SCHEDULER_NAME = "default-scheduler"
ALL_PENDING = Key("", "")  # wakes every pod that waits for a node


@dataclass(frozen=True)
class Observed:
    """A pod, the cluster's nodes, and what the unfinished pods of each node have asked for."""

    pod: Obj
    nodes: tuple[Obj, ...]
    used: Mapping[str, Amounts]
    placed: tuple[Obj, ...] = ()  # the pods that are on nodes and not finished


@dataclass(frozen=True)
class Misfit:
    """Why a pod does not fit a node, and whether it would if other pods left."""

    reason: str
    resolvable: bool = False


def waits_for_node(pod: Obj) -> bool:
    ours = spec(pod).get("schedulerName", SCHEDULER_NAME) == SCHEDULER_NAME
    return ours and not spec(pod).get("nodeName") and pod_rules.is_active(pod)


def plan_binding(observed: Observed, now: datetime) -> Plan:
    pod = observed.pod
    if not waits_for_node(pod):
        return Plan()
    if spec(pod).get("schedulingGates"):
        text = "Scheduling is blocked due to non-empty scheduling gates"
        return Plan(tuple(_condition(pod, "SchedulingGated", text, now)))
    verdicts = [(node, _misfits(observed, node)) for node in observed.nodes]
    for node, misfits in verdicts:
        if not misfits:
            return _bind(pod, node, now)
    message = _no_fit([misfits for _, misfits in verdicts])
    refused = _condition(pod, "Unschedulable", message, now)
    if not refused:  # said before in the same words
        return Plan()
    return Plan((Emit(pod, "Warning", "FailedScheduling", message), *refused))


def _bind(pod: Obj, node: Obj, now: datetime) -> Plan:
    text = f"Successfully assigned {namespace(pod)}/{name(pod)} to {name(node)}"
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(now)}
    return Plan(
        (
            Patch("pods", pod, {"spec": {"nodeName": name(node)}}),
            _set_condition(pod, scheduled),
            Emit(pod, "Normal", "Scheduled", text),
        )
    )


def _no_fit(verdicts: list[list[Misfit]]) -> str:
    if not verdicts:
        return "no nodes available to schedule pods"
    count = len(verdicts)
    reasons = _histogram(m.reason for misfits in verdicts for m in misfits)
    helpless = _histogram(
        "No preemption victims found for incoming pod"
        if all(m.resolvable for m in misfits)
        else "Preemption is not helpful for scheduling"
        for misfits in verdicts
    )
    return (
        f"0/{count} nodes are available: {reasons}. "
        f"preemption: 0/{count} nodes are available: {helpless}."
    )


def _histogram(reasons: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def _condition(pod: Obj, reason: str, message: str, now: datetime) -> list[Change]:
    old = condition(pod, "PodScheduled")
    if old is not None and (old.get("reason"), old.get("message")) == (reason, message):
        return []
    new = {
        "type": "PodScheduled",
        "status": "False",
        "lastTransitionTime": stamp(now),
        "reason": reason,
        "message": message,
    }
    return [_set_condition(pod, new)]


def _set_condition(pod: Obj, new: Obj) -> Patch:
    others = [c for c in status(pod).get("conditions") or () if c["type"] != new["type"]]
    return Patch("pods", pod, {"status": {"conditions": [*others, new]}}, subresource="status")


def _misfits(observed: Observed, node: Obj) -> list[Misfit]:
    """Empty when the pod fits. Only the first failing check speaks, as in the real scheduler."""
    pod, used = observed.pod, observed.used.get(name(node), {})
    if spec(node).get("unschedulable") and not _tolerates(pod, _CORDON):
        return [Misfit("node(s) were unschedulable")]
    if any(not _tolerates(pod, taint) for taint in _hard_taints(node)):
        return [Misfit("node(s) had untolerated taint(s)")]
    if not _selects(pod, node):
        return [Misfit("node(s) didn't match Pod's node affinity/selector")]
    if short := _shortages(pod, node, used):
        return short
    beside = neighbours.misfit(pod, node, observed.nodes, observed.placed)
    return [Misfit(*beside)] if beside else []


_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def _hard_taints(node: Obj) -> list[Obj]:
    taints: list[Obj] = spec(node).get("taints") or []
    return [taint for taint in taints if taint.get("effect") in {"NoSchedule", "NoExecute"}]


def _tolerates(pod: Obj, taint: Obj) -> bool:
    for one in spec(pod).get("tolerations") or ():
        if one.get("effect") and one["effect"] != taint["effect"]:
            continue
        if one.get("key") and one["key"] != taint["key"]:
            continue
        if one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""):
            return True
    return False


def _selects(pod: Obj, node: Obj) -> bool:
    selector = spec(pod).get("nodeSelector") or {}
    if not matches({"matchLabels": selector}, labels(node)):
        return False
    affinity = (spec(pod).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term(term: Obj, node: Obj) -> bool:
    """Terms are or-ed, what is in a term is and-ed, an empty term matches nothing."""
    by_label = term.get("matchExpressions") or []
    by_field = term.get("matchFields") or []
    if not by_label and not by_field:
        return False
    fields = {"metadata.name": name(node)}
    return matches({"matchExpressions": by_label}, labels(node)) and matches(
        {"matchExpressions": by_field}, fields
    )


def _shortages(pod: Obj, node: Obj, used: Amounts) -> list[Misfit]:
    allocatable = quantities(status(node).get("allocatable") or status(node).get("capacity"))
    found = []
    for resource, wanted in sorted(demands(pod).items()):
        # how many pods a node takes may be left open, what else it has may not
        limit = allocatable.get(resource, math.inf if resource == PODS else 0)
        if wanted > 0 and wanted > limit - used.get(resource, 0):
            reason = "Too many pods" if resource == PODS else f"Insufficient {resource}"
            found.append(Misfit(reason, resolvable=wanted <= limit))
    return found


class Scheduler:
    name = "scheduler"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, SCHEDULER_NAME, manager="kube-scheduler")
        self._ledger = Ledger()
        self._placed: dict[Key, Obj] = {}

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {"pods": self._wakes, "nodes": lambda _: [ALL_PENDING]}

    def reconcile(self, key: Key, now: datetime) -> None:
        registry = self._shell.registry
        if key == ALL_PENDING:
            waiting = [pod for pod in registry.list("pods") if waits_for_node(pod)]
        else:
            found = self._shell.find("pods", key)
            waiting = [found] if found is not None and waits_for_node(found) else []
        for pod in waiting:
            nodes = tuple(registry.list("nodes"))
            observed = Observed(pod, nodes, self._ledger.used, tuple(self._placed.values()))
            self._shell.apply(plan_binding(observed, now).changes)
            self._enter(pod)

    def _enter(self, pod: Obj) -> None:
        """Bring what is known up to date with a pod that may have changed, or gone."""
        key = key_of(pod)
        live = self._shell.find("pods", key)
        self._ledger.enter(pod, live if live is not None and uid(live) == uid(pod) else None)
        if live is not None and spec(live).get("nodeName") and not pod_rules.is_finished(live):
            self._placed[key] = live
        else:
            self._placed.pop(key, None)

    def _wakes(self, pod: Obj) -> list[Key]:
        """A pod that needs a node wakes itself; one that ends or goes leaves room for others."""
        self._enter(pod)
        if waits_for_node(pod):
            return [key_of(pod)]
        return [ALL_PENDING] if pod_rules.is_finished(pod) or deleting(pod) else []
