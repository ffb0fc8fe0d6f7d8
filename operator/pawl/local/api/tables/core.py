"""Rows of the smaller kinds."""

from __future__ import annotations

from datetime import datetime

from pawl.local.api.tables.cells import NONE, Cells, Obj, age
from pawl.local.api.tables.durations import since


def name_and_age(obj: Obj, now: datetime) -> Cells:
    return [obj["metadata"]["name"], age(obj, now)]


def created_at(obj: Obj, now: datetime) -> Cells:
    del now
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp", "")]


def event(obj: Obj, now: datetime) -> Cells:
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = since(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    if obj.get("series"):
        last = since(obj["series"].get("lastObservedTime"), now)
        count = obj["series"].get("count", 0)
    regarding = obj.get("involvedObject") or {}
    target = "/".join(filter(None, [regarding.get("kind", "").lower(), regarding.get("name")]))
    source = obj.get("source") or {}
    origin = [
        source.get("component") or obj.get("reportingComponent"),
        source.get("host") or obj.get("reportingInstance"),
    ]
    return [
        last, obj.get("type", ""), obj.get("reason", ""), target, regarding.get("fieldPath", ""),
        ", ".join(filter(None, origin)), obj.get("message", "").strip(), first, str(count),
        obj["metadata"]["name"],
    ]  # fmt: skip


def namespace(obj: Obj, now: datetime) -> Cells:
    return [obj["metadata"]["name"], obj.get("status", {}).get("phase", ""), age(obj, now)]


def config_map(obj: Obj, now: datetime) -> Cells:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [obj["metadata"]["name"], count, age(obj, now)]


def secret(obj: Obj, now: datetime) -> Cells:
    count = len(obj.get("data") or ())
    return [obj["metadata"]["name"], obj.get("type", ""), count, age(obj, now)]


_ROLE = "node-role.kubernetes.io/"


def node(obj: Obj, now: datetime) -> Cells:
    status, meta = obj.get("status") or {}, obj["metadata"]
    ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), None)
    states = (
        ["Unknown"] if ready is None else ["Ready" if ready["status"] == "True" else "NotReady"]
    )
    if (obj.get("spec") or {}).get("unschedulable"):
        states.append("SchedulingDisabled")
    labels = meta.get("labels") or {}
    roles = sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE))
    info = status.get("nodeInfo") or {}
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses") or ())}
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        meta["name"], ",".join(states), ",".join(filter(None, roles)) or NONE, age(obj, now),
        info.get("kubeletVersion", ""), addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE), info.get("osImage") or "<unknown>", kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]  # fmt: skip


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def claim(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    phase = "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", "")
    capacity, modes = "", ""
    if spec.get("volumeName"):
        modes = ",".join(_MODES.get(mode, mode) for mode in status.get("accessModes") or ())
        capacity = (status.get("capacity") or {}).get("storage", "")
    return [
        obj["metadata"]["name"], phase, spec.get("volumeName", ""), capacity, modes,
        spec.get("storageClassName", ""), spec.get("volumeAttributesClassName", "<unset>"),
        age(obj, now), spec.get("volumeMode", "<unset>"),
    ]  # fmt: skip


def lease(obj: Obj, now: datetime) -> Cells:
    holder = (obj.get("spec") or {}).get("holderIdentity") or ""
    return [obj["metadata"]["name"], holder, age(obj, now)]


def admission_policy(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    kind = spec.get("paramKind")
    shown = f"{kind['apiVersion']}/{kind['kind']}" if kind else "<unset>"
    return [obj["metadata"]["name"], len(spec.get("validations") or ()), shown, age(obj, now)]


def admission_binding(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    name = (spec.get("paramRef") or {}).get("name") or "<unset>"
    return [obj["metadata"]["name"], spec.get("policyName", ""), name, age(obj, now)]


def binding(obj: Obj, now: datetime) -> Cells:
    role = obj.get("roleRef") or {}
    subjects = obj.get("subjects") or ()

    def named(kind: str) -> str:
        found = [
            f"{s['namespace']}/{s['name']}" if s.get("namespace") else s["name"]
            for s in subjects
            if s.get("kind") == kind
        ]
        return ", ".join(found)

    return [
        obj["metadata"]["name"], f"{role.get('kind')}/{role.get('name')}", age(obj, now),
        named("User"), named("Group"), named("ServiceAccount"),
    ]  # fmt: skip
