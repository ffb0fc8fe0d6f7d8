"""What controllers must know of pods: their predicates, how they are made, whom to delete first.

Sources: k8s.io/kubernetes pkg/controller/controller_utils.go and pkg/api/v1/pod/util.go.
"""

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cmp_to_key

from pawl.local.controllers.objects import (
    Obj,
    annotations,
    condition,
    deleting,
    has_condition,
    meta,
    parse_time,
    spec,
    status,
    uid,
)

# Pods that one reconciliation creates or deletes at most; the rest follows at once in the next
# one, so that a Job of thousands does not hold up everything else.
BURST = 25

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def phase(pod: Mapping[str, object]) -> str:
    return str(status(pod).get("phase", ""))


def is_finished(pod: Obj) -> bool:
    return phase(pod) in {"Succeeded", "Failed"}


def is_active(pod: Obj) -> bool:
    """Neither finished nor being deleted."""
    return not is_finished(pod) and not deleting(pod)


def is_terminating(pod: Obj) -> bool:
    return deleting(pod) and not is_finished(pod)


def is_ready(pod: Obj) -> bool:
    return has_condition(pod, "Ready")


def ready_since(pod: Obj) -> datetime | None:
    found = condition(pod, "Ready")
    if found is None or found.get("status") != "True":
        return None
    return parse_time(found.get("lastTransitionTime"))


def available_in(pod: Obj, min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until a ready pod has been ready long enough (0: it has); None: it is not ready."""
    if not is_ready(pod):
        return None
    since = ready_since(pod)
    if min_ready_seconds <= 0:
        return 0.0
    if since is None:
        return None
    due = since + timedelta(seconds=min_ready_seconds)
    return max((due - now).total_seconds(), 0.0)


def from_template(
    template: Obj, controller: Obj, *, prefix: str, extra_finalizers: Iterable[str] = ()
) -> Obj:
    """A pod of `template` that `controller` (an owner reference) manages, named by `prefix`."""
    template = deepcopy(template)
    head = meta(template)
    metadata: Obj = {
        "generateName": prefix,
        "labels": head.get("labels") or {},
        "annotations": head.get("annotations") or {},
        "ownerReferences": [controller],
    }
    finalizers = list(dict.fromkeys([*(head.get("finalizers") or ()), *extra_finalizers]))
    if finalizers:
        metadata["finalizers"] = finalizers
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec(template)}


def deletion_order(
    pods: Iterable[Obj], now: datetime, ranks: Mapping[str, int] | None = None
) -> list[Obj]:
    """Pods with those to be deleted first in front (controller.ActivePodsWithRanks).

    Unassigned, then pending, then not ready, then the cheaper by pod-deletion-cost, then those
    with more siblings on their node (`ranks` by uid), then ready for a shorter time, more
    restarts, younger. Times are compared by the power of two of their age, ties by uid.
    """

    doubled = ranks or {}

    def compare(a: Obj, b: Obj) -> int:
        steps = (
            bool(spec(a).get("nodeName")) - bool(spec(b).get("nodeName")),
            _PHASE_ORDER.get(phase(a), 0) - _PHASE_ORDER.get(phase(b), 0),
            is_ready(a) - is_ready(b),
            _deletion_cost(a) - _deletion_cost(b),
            doubled.get(uid(b), 0) - doubled.get(uid(a), 0),
            _by_age(a, b, ready_since(a), ready_since(b), now) if is_ready(a) else 0,
            _restarts(b) - _restarts(a),
            _by_age(a, b, _created(a), _created(b), now),
        )
        return next((step for step in steps if step), 0)

    return sorted(pods, key=cmp_to_key(compare))


def _by_age(a: Obj, b: Obj, then_a: datetime | None, then_b: datetime | None, now: datetime) -> int:
    if then_a is None or then_b is None:
        return (then_a is not None) - (then_b is not None)
    if then_a == then_b:
        return 0
    difference = _log_age(then_a, now) - _log_age(then_b, now)
    if difference:
        return difference
    return -1 if uid(a) < uid(b) else 1


def _log_age(then: datetime, now: datetime) -> int:
    nanoseconds = (now - then) / timedelta(microseconds=1) * 1000
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1


def _created(pod: Obj) -> datetime | None:
    return parse_time(meta(pod).get("creationTimestamp"))


def _deletion_cost(pod: Obj) -> int:
    try:
        return int(annotations(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _restarts(pod: Obj) -> int:
    counts = [c.get("restartCount", 0) for c in status(pod).get("containerStatuses") or ()]
    return max(counts, default=0)
