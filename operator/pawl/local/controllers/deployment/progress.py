"""Status of a Deployment: counts, Available, Progressing with its deadline, ReplicaFailure.

Source: pkg/controller/deployment/progress.go and calculateStatus in sync.go.
"""

from collections.abc import Sequence
from datetime import datetime

from pawl.local.controllers.deployment.sizes import counted, fenceposts, replicas, total
from pawl.local.controllers.objects import Obj, age, find_condition, meta, name, spec, stamp

_NO_DEADLINE = 2**31 - 1
TIMED_OUT = "ProgressDeadlineExceeded"
COMPLETE = "NewReplicaSetAvailable"


def deadline(deployment: Obj) -> int | None:
    """progressDeadlineSeconds; None when progress is not watched."""
    value = spec(deployment).get("progressDeadlineSeconds")
    return None if value in {None, _NO_DEADLINE} else int(value)


def make(kind: str, value: str, reason: str, message: str, *, now: datetime) -> Obj:
    return {
        "type": kind,
        "status": value,
        "lastUpdateTime": stamp(now),
        "lastTransitionTime": stamp(now),
        "reason": reason,
        "message": message,
    }


def put(conditions: list[Obj], new: Obj) -> None:
    """Set a condition in place; the same status and reason stay as they were."""
    old = find_condition(conditions, new["type"])
    if old is not None and (old["status"], old.get("reason")) == (new["status"], new["reason"]):
        return
    if old is not None and old["status"] == new["status"]:
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    drop(conditions, new["type"])
    conditions.append(new)


def drop(conditions: list[Obj], kind: str) -> None:
    conditions[:] = [c for c in conditions if c["type"] != kind]


def mark_paused(deployment: Obj, conditions: list[Obj], now: datetime) -> None:
    """Progressing says Unknown while paused, so that the pause never counts as lack of progress."""
    old = find_condition(conditions, "Progressing")
    reason = old.get("reason") if old is not None else None
    if deadline(deployment) is None or reason == TIMED_OUT:
        return
    paused = bool(spec(deployment).get("paused"))
    if paused and reason != "DeploymentPaused":
        text = ("DeploymentPaused", "Deployment is paused")
    elif not paused and reason == "DeploymentPaused":
        text = ("DeploymentResumed", "Deployment is resumed")
    else:
        return
    put(conditions, make("Progressing", "Unknown", *text, now=now))


def counts(deployment: Obj, new: Obj | None, old: Sequence[Obj], state: Obj) -> Obj:
    every = [*old, new] if new is not None else list(old)
    available = counted(every, "availableReplicas")
    result: Obj = {
        "observedGeneration": meta(deployment).get("generation", 0),
        "replicas": counted(every, "replicas"),
        "updatedReplicas": counted([new], "replicas") if new is not None else 0,
        "readyReplicas": counted(every, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(total(every) - available, 0),
    }
    result = {key: value for key, value in result.items() if value}
    result["terminatingReplicas"] = counted(every, "terminatingReplicas")
    if state.get("collisionCount") is not None:
        result["collisionCount"] = state["collisionCount"]
    return result


def mark_available(deployment: Obj, state: Obj, conditions: list[Obj], now: datetime) -> None:
    least = replicas(deployment) - fenceposts(deployment)[1]
    if int(state.get("availableReplicas") or 0) >= least:
        text = ("MinimumReplicasAvailable", "Deployment has minimum availability.")
        put(conditions, make("Available", "True", *text, now=now))
    else:
        text = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        put(conditions, make("Available", "False", *text, now=now))


def is_complete(deployment: Obj, state: Obj) -> bool:
    goal = replicas(deployment)
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    observed = int(state.get("observedGeneration") or 0)
    return observed >= int(meta(deployment).get("generation") or 0) and all(
        int(state.get(field) or 0) == goal for field in fields
    )


def mark_progress(
    deployment: Obj, new: Obj | None, state: Obj, conditions: list[Obj], *, now: datetime
) -> None:
    """`state` has the new counts; the Deployment's own status is what they are compared with."""
    limit = deadline(deployment)
    current = find_condition(conditions, "Progressing")
    if limit is None:
        drop(conditions, "Progressing")
        return
    settled = state.get("replicas", 0) == state.get("updatedReplicas", 0)
    if settled and current is not None and current.get("reason") == COMPLETE:
        return
    what = f'ReplicaSet "{name(new)}"' if new is not None else f'Deployment "{name(deployment)}"'
    if is_complete(deployment, state):
        text = (COMPLETE, f"{what} has successfully progressed.")
        put(conditions, make("Progressing", "True", *text, now=now))
    elif _has_progressed(deployment, state):
        text = ("ReplicaSetUpdated", f"{what} is progressing.")
        condition = make("Progressing", "True", *text, now=now)
        if current is not None and current["status"] == "True":
            condition["lastTransitionTime"] = current["lastTransitionTime"]
        drop(conditions, "Progressing")
        conditions.append(condition)
    elif _has_timed_out(current, limit, now):
        text = (TIMED_OUT, f"{what} has timed out progressing.")
        put(conditions, make("Progressing", "False", *text, now=now))


def next_check(deployment: Obj, state: Obj, conditions: list[Obj], now: datetime) -> float | None:
    """Seconds until lack of progress must be looked for."""
    limit, current = deadline(deployment), find_condition(conditions, "Progressing")
    if limit is None or current is None or is_complete(deployment, state):
        return None
    if current.get("reason") in {TIMED_OUT, COMPLETE, "DeploymentPaused"}:
        return None
    # a second more than needed: times in conditions are cut to whole seconds
    return max(limit - age(current.get("lastUpdateTime"), now), 0.0) + 1.0


def mark_failure(new: Obj | None, old: Sequence[Obj], conditions: list[Obj]) -> None:
    """Show that a ReplicaSet cannot create pods; the new one's trouble comes first."""
    every = [new, *old] if new is not None else list(old)
    found = (find_condition(rs.get("status", {}).get("conditions") or (), _FAILURE) for rs in every)
    failure = next((f for f in found if f is not None), None)
    if failure is None:
        drop(conditions, _FAILURE)
    else:
        put(conditions, {**failure, "lastUpdateTime": failure["lastTransitionTime"]})


_FAILURE = "ReplicaFailure"


def _has_progressed(deployment: Obj, state: Obj) -> bool:
    before = deployment.get("status") or {}

    def of(one: Obj, field: str) -> int:
        return int(one.get(field) or 0)

    def old_pods(one: Obj) -> int:
        return of(one, "replicas") - of(one, "updatedReplicas")

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_pods(state) < old_pods(before) or any(
        of(state, field) > of(before, field) for field in grown
    )


def _has_timed_out(current: Obj | None, limit: int, now: datetime) -> bool:
    if current is None or current.get("reason") == COMPLETE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    return age(current.get("lastUpdateTime"), now) > limit
