"""Rows of what runs pods: Deployments, ReplicaSets, Jobs, autoscalers, budgets."""

from __future__ import annotations

from datetime import datetime

from pawl.local.api import selectors
from pawl.local.api.tables.cells import NONE, Cells, Obj, age, containers, selector, some
from pawl.local.api.tables.durations import between, since


def deployment(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [
        obj["metadata"]["name"], ready, status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0), age(obj, now), *containers(spec),
        selector(spec.get("selector")),
    ]  # fmt: skip


def replica_set(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"], spec.get("replicas", 0), status.get("replicas", 0),
        status.get("readyReplicas", 0), age(obj, now), *containers(spec),
        selectors.render(spec.get("selector")),
    ]  # fmt: skip


def job(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    done, parallel = status.get("succeeded", 0), spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{done}/{spec['completions']}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    start, end = status.get("startTime"), status.get("completionTime")
    took = "" if not start else between(start, end) if end else since(start, now)
    return [
        obj["metadata"]["name"], _job_status(obj), completions, took, age(obj, now),
        *containers(spec), selectors.render(spec.get("selector")),
    ]  # fmt: skip


def _job_status(obj: Obj) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    held = {c["type"] for c in conditions if c.get("status") == "True"}
    for kind in ("Complete", "Failed"):
        if kind in held:
            return kind
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    known = ("Suspended", "FailureTarget", "SuccessCriteriaMet")
    return next((kind for kind in known if kind in held), "Running")


def autoscaler(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    current = status.get("currentMetrics") or []
    metrics = [
        _metric(one, current[at] if at < len(current) else {})
        for at, one in enumerate(spec.get("metrics") or ())
    ]
    return [
        obj["metadata"]["name"], f"{target.get('kind')}/{target.get('name')}",
        some(metrics, 2, ", ") if metrics else NONE, str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0), status.get("currentReplicas", 0), age(obj, now),
    ]  # fmt: skip


def _metric(spec: Obj, status: Obj) -> str:
    kind = spec.get("type", "")
    source = kind[:1].lower() + kind[1:]
    wanted = (spec.get(source) or {}).get("target") or {}
    current = (status.get(source) or {}).get("current") or {}
    name = f"{spec[source]['name']}: " if source.endswith("esource") else ""
    if wanted.get("averageUtilization") is not None:
        used = current.get("averageUtilization")
        shown = "<unknown>" if used is None else f"{used}%"
        return f"{name}{shown}/{wanted['averageUtilization']}%"
    field = "averageValue" if wanted.get("averageValue") is not None else "value"
    suffix = " (avg)" if field == "averageValue" and kind in ("Object", "External") else ""
    return f"{name}{current.get(field, '<unknown>')}/{wanted.get(field)}{suffix}"


def budget(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"], str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")), status.get("disruptionsAllowed", 0),
        age(obj, now),
    ]  # fmt: skip
