"""ReplicaSets of a Deployment: which is the new one, their names, revisions and history.

Source: getNewReplicaSet and cleanupDeployment in pkg/controller/deployment/sync.go. The hash is
FNV-1a as there, but over canonical JSON: it is stable, not equal to the one of a real cluster.
"""

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from pawl.local.controllers.deployment.sizes import DESIRED, MAX, fenceposts, replicas
from pawl.local.controllers.objects import (
    Obj,
    annotations,
    controller_reference,
    created_order,
    deleting,
    labels,
    meta,
    name,
    namespace,
    spec,
    status,
)

TYPE = ("apps/v1", "Deployment")
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
}
_HISTORY_LIMIT = 2000  # characters
_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words by accident


def template(obj: Obj) -> Any:
    """The pod template without what does not matter to it: the hash label, absent values."""
    found = deepcopy(spec(obj).get("template") or {})
    (meta(found).get("labels") or {}).pop(HASH_LABEL, None)
    return _bare(found)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = ((key, _bare(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item not in (None, {}, [])}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def find_new(deployment: Obj, replica_sets: Iterable[Obj]) -> Obj | None:
    """The oldest ReplicaSet with the Deployment's template."""
    wanted = template(deployment)
    same = (rs for rs in replica_sets if template(rs) == wanted)
    return min(same, key=created_order, default=None)


def template_hash(deployment: Obj) -> str:
    content = json.dumps(template(deployment), sort_keys=True).encode()
    collisions = status(deployment).get("collisionCount")
    if collisions is not None:
        content += int(collisions).to_bytes(4, "little")
    value = 0x811C9DC5
    for byte in content:
        value = (value ^ byte) * 0x01000193 % 2**32
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(value))


def revision(obj: Obj) -> int:
    text = annotations(obj).get(REVISION, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def next_revision(old: Iterable[Obj]) -> int:
    return max((revision(rs) for rs in old), default=0) + 1


def build(deployment: Obj, old: Sequence[Obj], size: int) -> Obj:
    """The ReplicaSet of the Deployment's current template."""
    digest = template_hash(deployment)
    pod_template = deepcopy(spec(deployment)["template"])
    pod_labels = {**labels(pod_template), HASH_LABEL: digest}
    pod_template.setdefault("metadata", {})["labels"] = pod_labels
    selector = deepcopy(spec(deployment).get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    replica_set: Obj = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(deployment)[: 252 - len(digest)]}-{digest}",
            "namespace": namespace(deployment),
            "labels": dict(pod_labels),
            "ownerReferences": [controller_reference(deployment, *TYPE)],
        },
        "spec": {
            "replicas": size,
            "selector": selector,
            "template": pod_template,
        },
    }
    if spec(deployment).get("minReadySeconds"):
        replica_set["spec"]["minReadySeconds"] = spec(deployment)["minReadySeconds"]
    marks = new_annotations(deployment, replica_set, old) | size_annotations(deployment)
    replica_set["metadata"]["annotations"] = marks
    return replica_set


def size_annotations(deployment: Obj) -> dict[str, str]:
    goal = replicas(deployment)
    return {DESIRED: str(goal), MAX: str(goal + fenceposts(deployment)[0])}


def new_annotations(deployment: Obj, new: Obj, old: Iterable[Obj]) -> dict[str, str]:
    """The annotations that the new ReplicaSet should have: copied ones, revision, history.

    A ReplicaSet that was rolled back to gets the next revision and remembers the one it had.
    """
    marks = dict(annotations(new))
    marks |= {k: v for k, v in annotations(deployment).items() if k not in _NOT_COPIED}
    had, due = revision(new), next_revision(old)
    if had >= due:
        return marks
    marks[REVISION] = str(due)
    if had:
        past = [one for one in marks.get(HISTORY, "").split(",") if one]
        while past and len(",".join([*past, str(had)])) > _HISTORY_LIMIT:
            past.pop(0)
        marks[HISTORY] = ",".join([*past, str(had)])
    return marks


def to_forget(deployment: Obj, old: Iterable[Obj]) -> list[Obj]:
    """Old ReplicaSets beyond revisionHistoryLimit that are empty in spec and in fact."""
    limit = spec(deployment).get("revisionHistoryLimit", 10)
    alive = [rs for rs in old if not deleting(rs)]
    surplus = max(len(alive) - limit, 0) if limit is not None else 0
    by_revision = sorted(alive, key=lambda rs: (revision(rs), created_order(rs)))
    return [rs for rs in by_revision[:surplus] if _is_empty(rs)]


def _is_empty(replica_set: Obj) -> bool:
    observed = int(status(replica_set).get("observedGeneration") or 0)
    seen = observed >= int(meta(replica_set).get("generation") or 0)
    return seen and not replicas(replica_set) and not status(replica_set).get("replicas")
