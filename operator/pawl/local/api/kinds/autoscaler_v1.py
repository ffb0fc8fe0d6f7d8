"""autoscaling/v1: the view of a HorizontalPodAutoscaler that knows the CPU target only
(pkg/apis/autoscaling/v1/conversion.go).

What v1 has no field for travels in annotations, so that a v1 client does not lose it. Their values
are JSON of the v2 fields.
"""

from __future__ import annotations

from typing import Any

import orjson

from pawl.local.api import errors
from pawl.local.api.kinds.autoscaler import AutoscalerKind
from pawl.local.api.kinds.base import Obj

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_CARRIED = (
    ("spec", "metrics", "metrics", list),
    ("spec", "behavior", "behavior", dict),
    ("status", "currentMetrics", "current-metrics", list),
    ("status", "conditions", "conditions", list),
)
_STORED = AutoscalerKind()


def outward(obj: Obj) -> Obj:
    """The stored object (v2) as v1. It is not changed."""
    meta = dict(obj["metadata"])
    shown: Obj = {**obj, "apiVersion": "autoscaling/v1", "metadata": meta}
    for part in ("spec", "status"):
        if part in shown:
            shown[part] = dict(shown[part])
    spec, status = shown.get("spec") or {}, shown.get("status") or {}
    cpu, spec["metrics"] = _without_cpu(spec.get("metrics"), "target")
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu
    cpu, status["currentMetrics"] = _without_cpu(status.get("currentMetrics"), "current")
    if cpu is not None:
        status["currentCPUUtilizationPercentage"] = cpu
    annotations = dict(meta.get("annotations") or {})
    for part, field, name, _ in _CARRIED:
        value = (spec if part == "spec" else status).pop(field, None)
        if value:
            annotations[_PREFIX + name] = orjson.dumps(value).decode()
    if annotations:
        meta["annotations"] = annotations
    if "status" in shown:
        status.setdefault("currentReplicas", 0)
    return shown


def inward(obj: Obj) -> Obj:
    """What a client sent as v1, as v2. ApiError 400 when an annotation is no v2 field."""
    obj["apiVersion"] = "autoscaling/v2"
    annotations = obj["metadata"].get("annotations") or {}
    for part, field, name, kind in _CARRIED:
        text = annotations.pop(_PREFIX + name, None)
        if text is not None:
            owner = obj.setdefault(part, {})
            owner[field] = _parsed(_PREFIX + name, text, kind)
    if not annotations:
        obj["metadata"].pop("annotations", None)
    for part, old, field, wanted in (
        ("spec", "targetCPUUtilizationPercentage", "metrics", "target"),
        ("status", "currentCPUUtilizationPercentage", "currentMetrics", "current"),
    ):
        owner = obj.get(part) or {}
        percent = owner.pop(old, None)
        if percent is not None:
            owner[field] = [_cpu(percent, wanted), *owner.get(field, ())]
    wrong = _STORED.type_error(obj)
    if wrong is not None:
        raise errors.bad_request(f"an annotation {_PREFIX}* cannot be converted: {wrong}")
    _STORED.decode(obj)
    return obj


def _without_cpu(metrics: list[Obj] | None, of: str) -> tuple[int | None, list[Obj]]:
    """The CPU utilization, if it is among the metrics, and the others."""
    percent: int | None = None
    others = []
    for metric in metrics or ():
        resource = metric.get("resource") or {}
        used = (resource.get(of) or {}).get("averageUtilization")
        if percent is None and resource.get("name") == "cpu" and used is not None:
            percent = used
        else:
            others.append(metric)
    return percent, others


def _cpu(percent: int, of: str) -> Obj:
    kind = {"type": "Utilization"} if of == "target" else {}
    value = {**kind, "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", of: value}}


def _parsed(name: str, text: str, kind: type) -> Any:
    try:
        value = orjson.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise errors.bad_request(f"the annotation {name} cannot be converted: {text[:100]!r}")
    return value
