"""Columns of the built-in kinds (pkg/printers/internalversion/printers.go)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.local.api import selectors
from pawl.local.api.tables.durations import between, since
from pawl.local.api.tables.pods import pod_conditions, pod_row

Obj = dict[str, Any]
Cells = list[Any]
_NONE = "<none>"


def _no_conditions(_: Obj) -> list[Obj]:
    return []


@dataclass(frozen=True)
class Printed:
    columns: list[Obj]
    row: Callable[[Obj, datetime], Cells]
    conditions: Callable[[Obj], list[Obj]] = _no_conditions


# of metadata.name and metadata.creationTimestamp
NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although "
    "some resources may allow a client to request the generation of an appropriate name "
    "automatically. Name is primarily intended for creation idempotence and configuration "
    "definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_DESCRIPTIONS = {
    "Name": NAME_DESCRIPTION,
    "Age": "CreationTimestamp is a timestamp representing the server time when this object was "
    "created. It is not guaranteed to be set in happens-before order across separate operations. "
    "Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\n"
    "Populated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/"
    "contributors/devel/sig-architecture/api-conventions.md#metadata",
}


def _columns(text: str) -> list[Obj]:
    """`Name,Ready,Desired#,IP*`: # marks integers, * what only -o wide shows."""
    found = []
    for word in text.split(","):
        name = word.rstrip("*#")
        found.append(
            {
                "name": name,
                "type": "integer" if "#" in word else "string",
                "format": "name" if name == "Name" else "",
                "description": _DESCRIPTIONS.get(name, ""),
                "priority": 1 if "*" in word else 0,
            }
        )
    return found


def _age(obj: Obj, now: datetime) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def _containers(spec: Obj) -> Cells:
    listed = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    return [
        ",".join(c.get("name", "") for c in listed),
        ",".join(c.get("image", "") for c in listed),
    ]


def _selector(selector: Obj | None) -> str:
    text = selectors.render(selector)
    return "" if text == _NONE else text


def _name_and_age(obj: Obj, now: datetime) -> Cells:
    return [obj["metadata"]["name"], _age(obj, now)]


def _created_at(obj: Obj, now: datetime) -> Cells:
    del now
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp", "")]


def _deployment(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [
        obj["metadata"]["name"], ready, status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0), _age(obj, now), *_containers(spec),
        _selector(spec.get("selector")),
    ]  # fmt: skip


def _replica_set(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"], spec.get("replicas", 0), status.get("replicas", 0),
        status.get("readyReplicas", 0), _age(obj, now), *_containers(spec),
        selectors.render(spec.get("selector")),
    ]  # fmt: skip


def _job(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    done, parallel = status.get("succeeded", 0), spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{done}/{spec['completions']}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    start, end = status.get("startTime"), status.get("completionTime")
    took = "" if not start else between(start, end) if end else since(start, now)
    return [
        obj["metadata"]["name"], _job_status(obj), completions, took, _age(obj, now),
        *_containers(spec), selectors.render(spec.get("selector")),
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


def _service(obj: Obj, now: datetime) -> Cells:
    spec = obj["spec"]
    pieces = []
    for port in spec.get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        pieces.append(f"{port['port']}{node}/{port['protocol']}")
    address = (spec.get("clusterIPs") or [_NONE])[0]
    selector = spec.get("selector") or {}
    return [
        obj["metadata"]["name"], spec.get("type", ""), address, _external(obj),
        ",".join(pieces) or _NONE, _age(obj, now),
        ",".join(f"{k}={v}" for k, v in sorted(selector.items())) or _NONE,
    ]  # fmt: skip


def _external(obj: Obj) -> str:
    spec = obj["spec"]
    addresses = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "LoadBalancer":
            ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
            given = [one.get("ip") or one.get("hostname", "") for one in ingress]
            return ",".join([*given, *addresses]) or "<pending>"
    return ",".join(addresses) or _NONE


def _event(obj: Obj, now: datetime) -> Cells:
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


def _namespace(obj: Obj, now: datetime) -> Cells:
    return [obj["metadata"]["name"], obj.get("status", {}).get("phase", ""), _age(obj, now)]


def _config_map(obj: Obj, now: datetime) -> Cells:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [obj["metadata"]["name"], count, _age(obj, now)]


def _secret(obj: Obj, now: datetime) -> Cells:
    count = len(obj.get("data") or ())
    return [obj["metadata"]["name"], obj.get("type", ""), count, _age(obj, now)]


_ROLE = "node-role.kubernetes.io/"


def _node(obj: Obj, now: datetime) -> Cells:
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
        meta["name"], ",".join(states), ",".join(filter(None, roles)) or _NONE, _age(obj, now),
        info.get("kubeletVersion", ""), addresses.get("InternalIP", _NONE),
        addresses.get("ExternalIP", _NONE), info.get("osImage") or "<unknown>", kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]  # fmt: skip


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _claim(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    phase = "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", "")
    capacity, modes = "", ""
    if spec.get("volumeName"):
        modes = ",".join(_MODES.get(mode, mode) for mode in status.get("accessModes") or ())
        capacity = (status.get("capacity") or {}).get("storage", "")
    return [
        obj["metadata"]["name"], phase, spec.get("volumeName", ""), capacity, modes,
        spec.get("storageClassName", ""), spec.get("volumeAttributesClassName", "<unset>"),
        _age(obj, now), spec.get("volumeMode", "<unset>"),
    ]  # fmt: skip


def _some(items: list[str], limit: int, joint: str = ",") -> str:
    shown = joint.join(items[:limit])
    if len(items) <= limit:
        return shown or "<unset>"
    return f"{shown} + {len(items) - limit} more..."


def _endpoints(obj: Obj, now: datetime) -> Cells:
    items = [
        f"{address['ip']}:{port['port']}" if port else address["ip"]
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or [None]
        for address in subset.get("addresses") or ()
    ]
    shown = _some(items, 3) if items else _NONE
    return [obj["metadata"]["name"], shown, _age(obj, now)]


def _slice(obj: Obj, now: datetime) -> Cells:
    ports = [
        str(p["port"]) if p.get("port") is not None else p.get("name") or "*"
        for p in obj.get("ports") or ()
    ]
    addresses = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    return [
        obj["metadata"]["name"], obj.get("addressType", ""), _some(ports, 3), _some(addresses, 3),
        _age(obj, now),
    ]  # fmt: skip


def _autoscaler(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    current = status.get("currentMetrics") or []
    metrics = [
        _metric(one, current[at] if at < len(current) else {})
        for at, one in enumerate(spec.get("metrics") or ())
    ]
    return [
        obj["metadata"]["name"], f"{target.get('kind')}/{target.get('name')}",
        _some(metrics, 2, ", ") if metrics else _NONE, str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0), status.get("currentReplicas", 0), _age(obj, now),
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


def _budget(obj: Obj, now: datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"], str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")), status.get("disruptionsAllowed", 0),
        _age(obj, now),
    ]  # fmt: skip


def _lease(obj: Obj, now: datetime) -> Cells:
    holder = (obj.get("spec") or {}).get("holderIdentity") or ""
    return [obj["metadata"]["name"], holder, _age(obj, now)]


def _policy(obj: Obj, now: datetime) -> Cells:
    selector = selectors.render(obj["spec"].get("podSelector"))
    return [obj["metadata"]["name"], selector, _age(obj, now)]


def _binding(obj: Obj, now: datetime) -> Cells:
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
        obj["metadata"]["name"], f"{role.get('kind')}/{role.get('name')}", _age(obj, now),
        named("User"), named("Group"), named("ServiceAccount"),
    ]  # fmt: skip


DEFAULT = Printed(_columns("Name,Age"), _name_and_age)
_CREATED = Printed(_columns("Name,Created At"), _created_at)
_BINDINGS = Printed(_columns("Name,Role,Age,Users*,Groups*,ServiceAccounts*"), _binding)
_RBAC = "rbac.authorization.k8s.io"

PRINTED: dict[str, Printed] = {
    "pods": Printed(
        _columns("Name,Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*"),
        pod_row,
        pod_conditions,
    ),
    "apps/deployments": Printed(
        _columns("Name,Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*"), _deployment
    ),
    "apps/replicasets": Printed(
        _columns("Name,Desired#,Current#,Ready#,Age,Containers*,Images*,Selector*"), _replica_set
    ),
    "batch/jobs": Printed(
        _columns("Name,Status,Completions,Duration,Age,Containers*,Images*,Selector*"), _job
    ),
    "services": Printed(
        _columns("Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector*"), _service
    ),
    "events": Printed(
        _columns(
            "Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*,Name*"
        ),
        _event,
    ),
    "namespaces": Printed(_columns("Name,Status,Age"), _namespace),
    "configmaps": Printed(_columns("Name,Data,Age"), _config_map),
    "secrets": Printed(_columns("Name,Type,Data,Age"), _secret),
    "nodes": Printed(
        _columns(
            "Name,Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,"
            "Container-Runtime*"
        ),
        _node,
    ),
    "persistentvolumeclaims": Printed(
        _columns(
            "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,"
            "VolumeMode*"
        ),
        _claim,
    ),
    "endpoints": Printed(_columns("Name,Endpoints,Age"), _endpoints),
    "discovery.k8s.io/endpointslices": Printed(
        _columns("Name,AddressType,Ports,Endpoints,Age"), _slice
    ),
    "autoscaling/horizontalpodautoscalers": Printed(
        _columns("Name,Reference,Targets,MinPods,MaxPods,Replicas,Age"), _autoscaler
    ),
    "policy/poddisruptionbudgets": Printed(
        _columns("Name,Min Available,Max Unavailable,Allowed Disruptions#,Age"), _budget
    ),
    "coordination.k8s.io/leases": Printed(_columns("Name,Holder,Age"), _lease),
    "networking.k8s.io/networkpolicies": Printed(_columns("Name,Pod-Selector,Age"), _policy),
    "apiextensions.k8s.io/customresourcedefinitions": _CREATED,
    f"{_RBAC}/roles": _CREATED,
    f"{_RBAC}/clusterroles": _CREATED,
    f"{_RBAC}/rolebindings": _BINDINGS,
    f"{_RBAC}/clusterrolebindings": _BINDINGS,
}
