"""The older Endpoints object of a service (pkg/controller/endpoint): for clients that read it."""

from collections.abc import Iterable
from datetime import datetime

from pawl.local.controllers.changes import Change, Create, Patch
from pawl.local.controllers.endpoints.slices import (
    CHANGED_AT,
    HEADLESS,
    Group,
    groups,
    is_headless,
    replacing,
)
from pawl.local.controllers.objects import Obj, labels, name, namespace, spec, stamp

RESOURCE = "endpoints"
_KEPT = ("hostname", "nodeName", "targetRef")
MANAGED_BY = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def plan_endpoints(
    service: Obj, pods: Iterable[Obj], current: Obj | None, now: datetime
) -> tuple[Change, ...]:
    subsets = [s for g in groups(service, pods) if (s := _subset(service, g))] or None
    wanted = {**labels(service), **MANAGED_BY} | ({HEADLESS: ""} if is_headless(service) else {})
    marks = {CHANGED_AT: stamp(now)}
    if current is None:
        metadata: Obj = {"name": name(service), "namespace": namespace(service)}
        metadata |= {"labels": wanted, "annotations": marks}
        head = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        made = {**head, "subsets": subsets} if subsets else head
        return (Create(RESOURCE, namespace(service), made),)
    if (current.get("subsets") or None) == subsets and labels(current) == wanted:
        return ()
    patch = {"labels": replacing(labels(current), wanted), "annotations": marks}
    return (Patch(RESOURCE, current, {"metadata": patch, "subsets": subsets}),)


def _subset(service: Obj, group: Group) -> Obj:
    """Terminating pods are in no list, unless not-ready addresses are published."""
    publish = bool(spec(service).get("publishNotReadyAddresses"))
    sides: dict[str, list[Obj]] = {"addresses": [], "notReadyAddresses": []}
    for endpoint in group.endpoints:
        if endpoint["conditions"]["terminating"] and not publish:
            continue
        side = "addresses" if endpoint["conditions"]["ready"] else "notReadyAddresses"
        extra: Obj = {
            k: endpoint[k] for k in ("hostname", "nodeName", "targetRef") if k in endpoint
        }
        sides[side].append({"ip": endpoint["addresses"][0], **extra})
    filled = {side: addresses for side, addresses in sides.items() if addresses}
    if not filled:
        return {}
    ports = [{k: v for k, v in port.items() if k != "name" or v} for port in group.ports]
    return {**filled, "ports": ports} if ports else filled
