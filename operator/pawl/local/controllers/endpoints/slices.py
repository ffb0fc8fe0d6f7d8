"""Which pods a service sends to: (service, pods, slices) -> changes of its EndpointSlices.

Ready: the pod is ready and not being deleted (or publishNotReadyAddresses); serving: it is
ready, also while terminating. Pods with differing ports (named target ports) are in slices of
their own; a service without pods has one empty slice. At most 100 endpoints are in a slice.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Change, Create, Delete, Patch
from pawl.local.controllers.objects import (
    Obj,
    controller_reference,
    deleting,
    labels,
    name,
    namespace,
    owners,
    spec,
    stamp,
    status,
    uid,
)

RESOURCE = "discovery.k8s.io/endpointslices"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
CHANGED_AT = "endpoints.kubernetes.io/last-change-trigger-time"
MAX_ENDPOINTS = 100

Ports = list[Obj]


@dataclass(frozen=True)
class Group:
    """Pods that serve the same ports."""

    ports: Ports
    endpoints: list[Obj]


def is_headless(service: Obj) -> bool:
    return spec(service).get("clusterIP") == "None"


def has_addresses(pod: Obj) -> bool:
    """Whether the pod can be an endpoint at all (ready or not)."""
    placed = status(pod).get("podIP") and spec(pod).get("nodeName")
    return bool(placed) and not pod_rules.is_finished(pod)


def groups(service: Obj, pods: Iterable[Obj]) -> list[Group]:
    found: dict[str, Group] = {}
    for pod in sorted(filter(has_addresses, pods), key=name):
        ports = pod_ports(service, pod)
        group = found.setdefault(_same(ports), Group(ports, []))
        group.endpoints.append(endpoint(service, pod))
    return [found[key] for key in sorted(found)]


def endpoint(service: Obj, pod: Obj) -> Obj:
    serving = pod_rules.is_ready(pod)
    terminating = deleting(pod)
    ready = bool(spec(service).get("publishNotReadyAddresses")) or (serving and not terminating)
    result: Obj = {
        "addresses": [status(pod)["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {
            "kind": "Pod",
            "name": name(pod),
            "namespace": namespace(pod),
            "uid": uid(pod),
        },
        "nodeName": spec(pod)["nodeName"],
    }
    if spec(pod).get("hostname") and spec(pod).get("subdomain") == name(service):
        result["hostname"] = spec(pod)["hostname"]
    return result


def pod_ports(service: Obj, pod: Obj) -> Ports:
    """The service's ports as numbers on this pod; a name that the pod lacks is left out."""
    ports: Ports = []
    for port in spec(service).get("ports") or ():
        number = _target(port, pod)
        if number is not None:
            protocol = port.get("protocol", "TCP")
            one = {"name": port.get("name", ""), "port": number, "protocol": protocol}
            if port.get("appProtocol"):
                one["appProtocol"] = port["appProtocol"]
            ports.append(one)
    return ports


def _target(port: Obj, pod: Obj) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    protocol = port.get("protocol", "TCP")
    containers = [
        *(spec(pod).get("containers") or ()),
        *(c for c in spec(pod).get("initContainers") or () if c.get("restartPolicy") == "Always"),
    ]
    offered = (p for c in containers for p in c.get("ports") or ())
    return next(
        (
            int(p["containerPort"])
            for p in offered
            if p.get("name") == target and p.get("protocol", "TCP") == protocol
        ),
        None,
    )


def plan_slices(
    service: Obj, pods: Iterable[Obj], slices: Iterable[Obj], now: datetime
) -> tuple[Change, ...]:
    """`slices` are those labelled with the service's name and this controller's."""
    current = sorted(slices, key=name)
    strangers = [s for s in current if all(ref["uid"] != uid(service) for ref in owners(s))]
    free = [s for s in current if s not in strangers]
    wanted = _contents(groups(service, pods))
    changes: list[Change] = []
    pending: list[Obj] = []
    for content in wanted:  # a slice that has the ports already changes least
        same = next((s for s in free if _same(s.get("ports")) == _same(content["ports"])), None)
        if same is None:
            pending.append(content)
            continue
        free.remove(same)
        changes += _update(service, same, content, now)
    for content in pending:
        if free:
            changes += _update(service, free.pop(0), content, now)
        else:
            changes.append(_new(service, content, now))
    return (*changes, *(Delete(RESOURCE, s) for s in [*free, *strangers]))


def _contents(found: list[Group]) -> list[Obj]:
    contents = [
        {"ports": group.ports, "endpoints": group.endpoints[start : start + MAX_ENDPOINTS]}
        for group in found
        for start in range(0, len(group.endpoints), MAX_ENDPOINTS)
    ]
    return contents or [{"ports": [], "endpoints": []}]


def _labels(service: Obj) -> dict[str, str]:
    own = {SERVICE_NAME: name(service), MANAGED_BY: MANAGER}
    if is_headless(service):
        own[HEADLESS] = ""
    reserved = {SERVICE_NAME, MANAGED_BY, HEADLESS}
    return {k: v for k, v in labels(service).items() if k not in reserved} | own


def _new(service: Obj, content: Obj, now: datetime) -> Create:
    metadata = {
        "generateName": f"{name(service)}-",
        "namespace": namespace(service),
        "labels": _labels(service),
        "annotations": {CHANGED_AT: stamp(now)},
        "ownerReferences": [controller_reference(service, "v1", "Service")],
    }
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    made = {**head, "addressType": "IPv4", **content, "ports": content["ports"] or None}
    return Create(RESOURCE, namespace(service), made)


def _update(service: Obj, current: Obj, content: Obj, now: datetime) -> list[Change]:
    wanted = _labels(service)
    same = all((current.get(key) or []) == value for key, value in content.items())
    if same and labels(current) == wanted:
        return []
    marks = {CHANGED_AT: stamp(now)}
    head = {"labels": replacing(labels(current), wanted), "annotations": marks}
    body = {"metadata": head, **content, "ports": content["ports"] or None}
    return [Patch(RESOURCE, current, body)]


def replacing(old: dict[str, str], new: dict[str, str]) -> dict[str, str | None]:
    """A merge patch that turns one map into the other."""
    return {**dict.fromkeys(old), **new}


def _same(ports: Any) -> str:
    return json.dumps(sorted(ports or (), key=lambda p: (p["name"], p["port"])), sort_keys=True)


def has_selector(service: Obj) -> bool:
    """Whether its slices are ours to write: without a selector they are the user's."""
    if spec(service).get("type") == "ExternalName" or deleting(service):
        return False
    return bool(spec(service).get("selector"))
