"""The arithmetic of a Deployment: how many pods there may be, and how they are shared out.

Source: pkg/controller/deployment/util/deployment_util.go. All functions take plain objects and
return counts; invariants of a rolling update: pods never number more than replicas + max_surge,
available ones never fall below replicas - max_unavailable by scaling down.
"""

import math
from collections.abc import Iterable, Sequence

from pawl.local.controllers.objects import Obj, annotations, created_order, scaled, spec, status

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"


def replicas(obj: Obj) -> int:
    """spec.replicas of a Deployment or ReplicaSet."""
    value = spec(obj).get("replicas")
    return 1 if value is None else int(value)


def total(replica_sets: Iterable[Obj]) -> int:
    return sum(replicas(rs) for rs in replica_sets)


def counted(replica_sets: Iterable[Obj], field: str) -> int:
    """Sum of a count in the status of ReplicaSets, e.g. availableReplicas."""
    return sum(int(status(rs).get(field) or 0) for rs in replica_sets)


def available(replica_set: Obj) -> int:
    return counted((replica_set,), "availableReplicas")


def is_rolling(deployment: Obj) -> bool:
    return str(strategy(deployment).get("type", "RollingUpdate")) == "RollingUpdate"


def strategy(deployment: Obj) -> Obj:
    value: Obj = spec(deployment).get("strategy") or {}
    return value


def fenceposts(deployment: Obj) -> tuple[int, int]:
    """(max surge, max unavailable) in pods; not both zero, or nothing could ever move."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = strategy(deployment).get("rollingUpdate") or {}
    count = replicas(deployment)
    surge = scaled(rolling.get("maxSurge", "25%"), count, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), count, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, count)


def new_replicas(deployment: Obj, replica_sets: Sequence[Obj], size: int) -> int:
    """How large the new ReplicaSet, now of `size`, may be next to all (itself included)."""
    if not is_rolling(deployment):
        return replicas(deployment)
    room = replicas(deployment) + fenceposts(deployment)[0] - total(replica_sets)
    if room <= 0:
        return size
    return size + min(room, replicas(deployment) - size)


def annotation(replica_set: Obj, key: str) -> int | None:
    text = annotations(replica_set).get(key, "")
    return int(text) if text.isascii() and text.isdigit() else None


def is_saturated(deployment: Obj, replica_set: Obj | None) -> bool:
    """The new ReplicaSet has all the pods that the Deployment wants, and they are available."""
    if replica_set is None:
        return False
    goal = replicas(deployment)
    sizes = (replicas(replica_set), annotation(replica_set, DESIRED), available(replica_set))
    return sizes == (goal, goal, goal)


def shrink_old(deployment: Obj, new: Obj, old: Sequence[Obj]) -> dict[str, int]:
    """Next sizes, by name, of the old ReplicaSets that a rolling update may shrink now.

    Unavailable pods go first: they serve nobody. Then as many available ones as the new
    ReplicaSet has made up for.
    """
    goal = replicas(deployment)
    least = goal - fenceposts(deployment)[1]
    sizes = {rs["metadata"]["name"]: replicas(rs) for rs in old}
    oldest_first = sorted((rs for rs in old if replicas(rs)), key=created_order)
    spare = total([*old, new]) - least - (replicas(new) - available(new))
    if spare <= 0:
        return {}
    cleaned = 0
    for rs in oldest_first:
        unhealthy = replicas(rs) - available(rs)
        gone = min(spare - cleaned, max(unhealthy, 0))
        sizes[rs["metadata"]["name"]] -= gone
        cleaned += gone
    surplus = sum(available(rs) for rs in [*old, new]) - least
    for rs in oldest_first:
        name = rs["metadata"]["name"]
        gone = min(sizes[name], max(surplus, 0))
        sizes[name] -= gone
        surplus -= gone
    before = {rs["metadata"]["name"]: replicas(rs) for rs in old}
    return {name: size for name, size in sizes.items() if size != before[name]}


def share_out(deployment: Obj, active: Sequence[Obj]) -> dict[str, int]:
    """Sizes by name after the Deployment was scaled while more than one ReplicaSet has pods.

    Each keeps its share of the whole, the rounding error goes to the largest; so a rollout in
    progress gets neither faster nor more dangerous by scaling.
    """
    goal = replicas(deployment)
    allowed = goal + fenceposts(deployment)[0] if goal else 0
    to_add = allowed - total(active)
    newest_first = sorted(active, key=created_order, reverse=to_add > 0)
    ordered = sorted(newest_first, key=lambda rs: -replicas(rs))
    added = 0
    sizes: dict[str, int] = {}
    for rs in ordered:
        share = _share(deployment, rs, to_add - added) if to_add != added else 0
        sizes[rs["metadata"]["name"]] = replicas(rs) + share
        added += share
    if ordered:
        largest = ordered[0]["metadata"]["name"]
        sizes[largest] = max(sizes[largest] + to_add - added, 0)
    return sizes


def _share(deployment: Obj, replica_set: Obj, left: int) -> int:
    size, goal = replicas(replica_set), replicas(deployment)
    if goal == 0:
        fraction = -size
    else:
        before = annotation(replica_set, MAX) or int(status(deployment).get("replicas") or 0)
        if not before:
            return 0
        after = size * (goal + fenceposts(deployment)[0]) / before
        fraction = math.floor(after + 0.5) - size
    return min(fraction, left) if left > 0 else max(fraction, left)
