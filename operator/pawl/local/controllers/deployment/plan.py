"""One step of a Deployment: (observed, now) -> changes of its ReplicaSets and its status.

Each step makes one move of the rollout (grow the new ReplicaSet, or shrink old ones) and says so
in the status; the change of a ReplicaSet's status wakes the next step. Source: syncDeployment,
rolloutRolling, rolloutRecreate and sync in pkg/controller/deployment.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Change, Create, Delete, Emit, Patch, Plan, SetStatus
from pawl.local.controllers.deployment import progress, revisions, sizes
from pawl.local.controllers.objects import (
    Obj,
    annotations,
    created_order,
    deleting,
    find_condition,
    meta,
    name,
    namespace,
    spec,
    status,
    uid,
)

REPLICA_SETS, DEPLOYMENTS = "apps/replicasets", "apps/deployments"


@dataclass(frozen=True)
class Observed:
    """A Deployment, the ReplicaSets that it controls, and their pods by ReplicaSet uid.

    `taken` are the names of the namespace's ReplicaSets that it does not control.
    """

    deployment: Obj
    replica_sets: tuple[Obj, ...]
    pods: dict[str, tuple[Obj, ...]] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()


class Draft:
    """The plan while it is made: working copies of what will be, and the changes so far."""

    def __init__(self, observed: Observed, now: datetime) -> None:
        self.deployment, self.now = observed.deployment, now
        self.new = revisions.find_new(observed.deployment, observed.replica_sets)
        self.old = [rs for rs in observed.replica_sets if rs is not self.new]
        self.state: Obj = dict(status(observed.deployment))
        self.conditions: list[Obj] = [dict(c) for c in self.state.get("conditions") or ()]
        self.changes: list[Change] = []

    @property
    def every(self) -> list[Obj]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    def scale(self, replica_set: Obj, size: int, *, mark: bool = False) -> bool:
        """Resize a ReplicaSet; with `mark`, also when only its size annotations are stale."""
        before = sizes.replicas(replica_set)
        marks = revisions.size_annotations(self.deployment)
        stale = any(annotations(replica_set).get(k) != v for k, v in marks.items())
        if before == size and not (mark and stale):
            return False
        body = {"metadata": {"annotations": marks}, "spec": {"replicas": size}}
        self.changes.append(Patch(REPLICA_SETS, replica_set, body))
        self._swap(replica_set, marks, {"replicas": size})
        if before != size:
            self.tell(
                f"Scaled {'up' if before < size else 'down'} replica set "
                f"{name(replica_set)} from {before} to {size}"
            )
        return before != size

    def tell(self, message: str) -> None:
        self.changes.append(Emit(self.deployment, "Normal", "ScalingReplicaSet", message))

    def sync_new(self) -> None:
        """Keep revision, copied annotations and minReadySeconds of the new ReplicaSet current."""
        if self.new is None:
            return
        marks = revisions.new_annotations(self.deployment, self.new, self.old)
        ready = spec(self.deployment).get("minReadySeconds") or 0
        stale = (spec(self.new).get("minReadySeconds") or 0) != ready
        if marks != annotations(self.new) or stale:
            fields = {"minReadySeconds": ready} if stale else {}
            body = {"metadata": {"annotations": marks}, "spec": fields}
            self.changes.append(Patch(REPLICA_SETS, self.new, body))
            self._swap(self.new, marks, fields)
        self._mark_revision(str(revisions.revision(self.new)))
        watched = progress.deadline(self.deployment) is not None
        if watched and find_condition(self.conditions, "Progressing") is None:
            self._progressing("FoundNewReplicaSet", f'Found new replica set "{name(self.new)}"')

    def create_new(self) -> Obj:
        start = sizes.new_replicas(self.deployment, self.old, 0)
        new = self.new = revisions.build(self.deployment, self.old, start)
        self.changes.append(Create(REPLICA_SETS, namespace(self.deployment), new))
        if start:
            self.tell(f"Scaled up replica set {name(new)} from 0 to {start}")
        self._mark_revision(str(revisions.revision(new)))
        if progress.deadline(self.deployment) is not None:
            text = f'Created new replica set "{name(new)}"'
            self._progressing("NewReplicaSetCreated", text)
        return new

    def finish(self, *, rollout: bool) -> Plan:
        """Write the status; with `rollout`, progress (and the lack of it) is judged too."""
        counts = progress.counts(self.deployment, self.new, self.old, self.state)
        progress.mark_available(self.deployment, counts, self.conditions, self.now)
        if rollout:
            progress.mark_progress(self.deployment, self.new, counts, self.conditions, now=self.now)
            progress.mark_failure(self.new, self.old, self.conditions)
        new_status = {**counts, "conditions": self.conditions}
        if new_status != status(self.deployment):
            self.changes.append(SetStatus(DEPLOYMENTS, self.deployment, new_status))
        again = progress.next_check(self.deployment, counts, self.conditions, self.now)
        return Plan(tuple(self.changes), requeue_after=again)

    def _progressing(self, reason: str, message: str) -> None:
        new = progress.make("Progressing", "True", reason, message, now=self.now)
        progress.put(self.conditions, new)

    def _mark_revision(self, revision: str) -> None:
        if annotations(self.deployment).get(revisions.REVISION) != revision:
            body = {"metadata": {"annotations": {revisions.REVISION: revision}}}
            self.changes.append(Patch(DEPLOYMENTS, self.deployment, body))

    def _swap(self, replica_set: Obj, marks: dict[str, str], fields: Obj) -> None:
        changed = deepcopy(replica_set)
        changed["spec"] |= fields
        meta(changed)["annotations"] = {**annotations(changed), **marks}
        if replica_set is self.new:
            self.new = changed
        else:
            self.old = [changed if rs is replica_set else rs for rs in self.old]


def plan_deployment(observed: Observed, now: datetime) -> Plan:
    draft, deployment = Draft(observed, now), observed.deployment
    if spec(deployment).get("selector") == {}:
        return _selecting_all(draft)
    if deleting(deployment):
        return draft.finish(rollout=False)
    progress.mark_paused(deployment, draft.conditions, now)
    draft.sync_new()
    if spec(deployment).get("paused"):
        _scale(draft)
        _forget(draft)
        return draft.finish(rollout=False)
    if _was_scaled(draft):
        _scale(draft)
        return draft.finish(rollout=False)
    if draft.new is None and _collides(draft, observed.taken):
        return draft.finish(rollout=False)
    if sizes.is_rolling(deployment):
        _roll(draft)
    else:
        _recreate(draft, observed)
    return draft.finish(rollout=True)


def _selecting_all(draft: Draft) -> Plan:
    text = "This deployment is selecting all pods. A non-empty selector is required."
    draft.changes.append(Emit(draft.deployment, "Warning", "SelectingAll", text))
    return draft.finish(rollout=False)


def _collides(draft: Draft, taken: frozenset[str]) -> bool:
    """Another ReplicaSet has the name that the new one would get: count, and hash anew."""
    wanted = name(revisions.build(draft.deployment, draft.old, 0))
    if wanted not in taken:
        return False
    draft.state["collisionCount"] = int(draft.state.get("collisionCount") or 0) + 1
    return True


def _was_scaled(draft: Draft) -> bool:
    goal = sizes.replicas(draft.deployment)
    seen = (sizes.annotation(rs, sizes.DESIRED) for rs in draft.every if sizes.replicas(rs))
    return any(desired is not None and desired != goal for desired in seen)


def _scale(draft: Draft) -> None:
    active = [rs for rs in draft.every if sizes.replicas(rs)]
    goal = sizes.replicas(draft.deployment)
    if len(active) <= 1:
        only = active[0] if active else draft.new or max(draft.old, key=created_order, default=None)
        if only is not None:
            draft.scale(only, goal, mark=True)
    elif sizes.is_saturated(draft.deployment, draft.new):
        for rs in [rs for rs in draft.old if sizes.replicas(rs)]:
            draft.scale(rs, 0)
    elif sizes.is_rolling(draft.deployment):
        shares = sizes.share_out(draft.deployment, active)
        for rs in active:
            draft.scale(rs, shares[name(rs)], mark=True)


def _roll(draft: Draft) -> None:
    new = draft.new or draft.create_new()
    size, goal = sizes.replicas(new), sizes.replicas(draft.deployment)
    grown = goal if size > goal else sizes.new_replicas(draft.deployment, draft.every, size)
    if draft.scale(new, grown):
        return
    smaller = sizes.shrink_old(draft.deployment, new, draft.old)
    for rs in [rs for rs in draft.old if name(rs) in smaller]:
        draft.scale(rs, smaller[name(rs)])
    if not smaller and progress.is_complete(draft.deployment, status(draft.deployment)):
        _forget(draft)


def _recreate(draft: Draft, observed: Observed) -> None:
    shrunk = [draft.scale(rs, 0) for rs in [rs for rs in draft.old if sizes.replicas(rs)]]
    if any(shrunk) or _old_pods_run(draft, observed):
        return
    draft.scale(draft.new or draft.create_new(), sizes.replicas(draft.deployment))
    if progress.is_complete(draft.deployment, status(draft.deployment)):
        _forget(draft)


def _old_pods_run(draft: Draft, observed: Observed) -> bool:
    if sizes.counted(draft.old, "replicas"):
        return True
    new = uid(draft.new) if draft.new is not None else None
    return any(
        not pod_rules.is_finished(pod)
        for owner, pods in observed.pods.items()
        if owner != new
        for pod in pods
    )


def _forget(draft: Draft) -> None:
    for rs in revisions.to_forget(draft.deployment, draft.old):
        draft.changes.append(Delete(REPLICA_SETS, rs))
