"""apps/v1 ReplicaSet: keep `replicas` pods of a template (pkg/controller/replicaset)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Create, Delete, Plan, SetStatus, Shell
from pawl.local.controllers.claims import controlled, plan_claims
from pawl.local.controllers.objects import (
    Key,
    Obj,
    controller_of,
    controller_reference,
    deleting,
    find_condition,
    key_of,
    labels,
    matches,
    meta,
    name,
    namespace,
    spec,
    stamp,
    status,
    uid,
)

TYPE = ("apps/v1", "ReplicaSet")


@dataclass(frozen=True)
class Observed:
    """A ReplicaSet, the pods of its namespace that could be its own, and its siblings' pods.

    `siblings` are the pods of all ReplicaSets with the same controller: they rank pods by how
    many share a node, which only matters for deletion. `error` is what went wrong when the
    changes of `plan_pods` were applied.
    """

    replica_set: Obj
    pods: tuple[Obj, ...]
    siblings: tuple[Obj, ...] = ()
    error: str | None = None


def wanted(replica_set: Obj) -> int:
    value = spec(replica_set).get("replicas")
    return 1 if value is None else int(value)


def plan_pods(observed: Observed, now: datetime) -> Plan:
    """Create the pods that are missing, or delete those that are too many."""
    owner = observed.replica_set
    if deleting(owner):
        return Plan()
    active = [p for p in controlled(owner, observed.pods) if pod_rules.is_active(p)]
    surplus = len(active) - wanted(owner)
    if surplus < 0:
        count = min(-surplus, pod_rules.BURST)
        reference = controller_reference(owner, *TYPE)
        pod = pod_rules.from_template(
            spec(owner).get("template") or {}, reference, prefix=f"{name(owner)}-"
        )
        return Plan(tuple(Create("pods", namespace(owner), pod, owner) for _ in range(count)))
    if surplus > 0:
        per_node: dict[str, int] = {}
        for pod in filter(pod_rules.is_active, observed.siblings):
            node = spec(pod).get("nodeName", "")
            per_node[node] = per_node.get(node, 0) + 1
        ranks = {uid(p): per_node.get(spec(p).get("nodeName", ""), 0) for p in active}
        doomed = pod_rules.deletion_order(active, now, ranks)[: min(surplus, pod_rules.BURST)]
        return Plan(tuple(Delete("pods", pod, owner) for pod in doomed))
    return Plan()


def plan_status(observed: Observed, now: datetime) -> Plan:
    """The status that the pods imply; looks again when a pod becomes available by waiting."""
    owner = observed.replica_set
    mine = controlled(owner, observed.pods)
    active = [p for p in mine if pod_rules.is_active(p)]
    min_ready = int(spec(owner).get("minReadySeconds") or 0)
    waits = [pod_rules.available_in(pod, min_ready, now) for pod in active]
    template_labels = labels(spec(owner).get("template") or {})
    new = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(
            template_labels.items() <= labels(pod).items() for pod in active
        ),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "terminatingReplicas": sum(pod_rules.is_terminating(pod) for pod in mine),
        "observedGeneration": meta(owner).get("generation", 0),
        "conditions": _conditions(observed, len(active), now),
    }
    # as the typed API writes it: zero counts are left out, `replicas` and the pointer are not
    kept = {"replicas", "terminatingReplicas"}
    new = {k: v for k, v in new.items() if v or k in kept}
    later = [wait for wait in waits if wait]
    changes = (SetStatus("apps/replicasets", owner, new),) if new != status(owner) else ()
    return Plan(changes, requeue_after=min(later, default=None))


def _conditions(observed: Observed, active: int, now: datetime) -> list[Obj]:
    old: list[Obj] = status(observed.replica_set).get("conditions") or []
    failure = find_condition(old, "ReplicaFailure")
    others = [c for c in old if c is not failure]
    if observed.error is None:
        return others
    if failure is not None:
        return old
    reason = "FailedCreate" if active < wanted(observed.replica_set) else "FailedDelete"
    return [
        *others,
        {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": stamp(now),
            "reason": reason,
            "message": observed.error,
        },
    ]


class ReplicaSetController:
    name = "replicaset"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "replicaset-controller")

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {"apps/replicasets": lambda rs: [key_of(rs)], "pods": self._wakes}

    def reconcile(self, key: Key, now: datetime) -> float | None:
        owner = self._shell.find("apps/replicasets", key)
        if owner is None:
            return None
        claims = plan_claims(owner, self._pods(key), resource="pods", owner_type=TYPE)
        self._shell.apply(claims)
        pods = self._pods(key)
        observed = Observed(owner, pods, self._siblings(owner, pods))
        refused: ApiError | None = None
        try:
            self._shell.apply(plan_pods(observed, now).changes)
        except ApiError as error:
            refused = error
        done = Observed(owner, self._pods(key), error=refused.message if refused else None)
        plan = plan_status(done, now)
        self._shell.apply(plan.changes)
        if refused is not None:
            raise refused
        return plan.requeue_after

    def _pods(self, key: Key) -> tuple[Obj, ...]:
        return tuple(self._shell.registry.list("pods", key.namespace))

    def _siblings(self, owner: Obj, pods: tuple[Obj, ...]) -> tuple[Obj, ...]:
        above = controller_of(owner)
        if above is None:
            return pods
        owned = self._shell.registry.owned(above["uid"])
        family = {uid(obj) for resource, obj in owned if resource == "apps/replicasets"}
        return tuple(p for p in pods if (controller_of(p) or {}).get("uid") in family)

    def _wakes(self, pod: Obj) -> list[Key]:
        ref = controller_of(pod)
        if ref is not None:
            mine = ref["kind"] == "ReplicaSet"
            return [Key(namespace(pod), ref["name"])] if mine else []
        return [
            key_of(rs)
            for rs in self._shell.registry.list("apps/replicasets", namespace(pod))
            if matches(spec(rs).get("selector"), labels(pod))
        ]
