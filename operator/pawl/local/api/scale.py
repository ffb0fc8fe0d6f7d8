"""The scale subresource: replicas of anything, as autoscaling/v1 Scale."""

from __future__ import annotations

import copy
from typing import Any

from pawl.local.api import errors, selectors
from pawl.local.api.resources import Resource, ScalePaths
from pawl.local.schema import causes

Obj = dict[str, Any]


def scale_of(resource: Resource, obj: Obj) -> Obj:
    """The Scale of an object. ApiError 404 when it has no replicas to show."""
    paths = resource.scale
    if paths is None:
        raise errors.no_such_path()
    meta = obj["metadata"]
    wanted = _at(obj, paths.spec)
    status: Obj = {"replicas": _at(obj, paths.status) or 0}
    selector = _selector(obj, paths)
    if selector:
        status["selector"] = selector
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in kept if field in meta},
        "spec": {"replicas": wanted} if wanted else {},
        "status": status,
    }


def with_scale(resource: Resource, obj: Obj, scale: Obj) -> Obj:
    """A copy of the object with the replicas (and the resourceVersion) of a Scale."""
    paths = resource.scale
    if paths is None:
        raise errors.no_such_path()
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise errors.bad_request('Scale in version "v1" cannot be handled as a Scale: json: cannot '
                                 "unmarshal into Go struct field ScaleSpec.spec.replicas of type "
                                 "int32")  # fmt: skip
    if replicas < 0 and not resource.storage_version:  # a custom kind has rules of its own
        text = "must be greater than or equal to 0"
        name = obj["metadata"]["name"]
        cause = causes.invalid("spec.replicas", replicas, text)
        raise errors.invalid("autoscaling", "Scale", name, [cause])
    changed = copy.deepcopy(obj)
    place = changed
    for part in paths.spec[:-1]:
        place = place.setdefault(part, {})
    place[paths.spec[-1]] = replicas
    meta = scale.get("metadata") or {}
    if meta.get("resourceVersion"):
        changed["metadata"]["resourceVersion"] = meta["resourceVersion"]
    if meta.get("uid"):
        changed["metadata"]["uid"] = meta["uid"]
    return changed


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


def _selector(obj: Obj, paths: ScalePaths) -> str:
    if paths.selector is None:
        text = selectors.render(_at(obj, ("spec", "selector")))
        return "" if text == "<none>" else text
    return str(_at(obj, paths.selector) or "") if paths.selector else ""
