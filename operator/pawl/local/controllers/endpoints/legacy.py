"""The older Endpoints object of a service (pkg/controller/endpoint): for clients that read it."""

from collections.abc import Iterable

from pawl.local.controllers.changes import Change, Create, Patch
from pawl.local.controllers.endpoints.slices import HEADLESS, Group, groups, is_headless
from pawl.local.controllers.objects import Obj, labels, name, namespace, spec

RESOURCE = "endpoints"
_KEPT = ("hostname", "nodeName", "targetRef")
MANAGED_BY = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def plan_endpoints(service: Obj, pods: Iterable[Obj], current: Obj | None) -> tuple[Change, ...]:
    subsets = [s for g in groups(service, pods) if (s := _subset(service, g))]
    wanted = {**labels(service), **MANAGED_BY} | ({HEADLESS: ""} if is_headless(service) else {})
    if current is None:
        metadata = {"name": name(service), "namespace": namespace(service), "labels": wanted}
        head = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        return (Create(RESOURCE, namespace(service), {**head, "subsets": subsets}),)
    if (current.get("subsets") or []) == subsets and labels(current) == wanted:
        return ()
    body = {
        "metadata": {"labels": {**dict.fromkeys(labels(current)), **wanted}},
        "subsets": subsets,
    }
    return (Patch(RESOURCE, current, body),)


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
