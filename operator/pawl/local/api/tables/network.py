"""Rows of Services, their endpoints, and network policies."""

from __future__ import annotations

from datetime import datetime

from pawl.local.api import selectors
from pawl.local.api.tables.cells import NONE, Cells, Obj, age, some


def service(obj: Obj, now: datetime) -> Cells:
    spec = obj["spec"]
    pieces = []
    for port in spec.get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        pieces.append(f"{port['port']}{node}/{port['protocol']}")
    address = (spec.get("clusterIPs") or [NONE])[0]
    selector = spec.get("selector") or {}
    return [
        obj["metadata"]["name"], spec.get("type", ""), address, _external(obj),
        ",".join(pieces) or NONE, age(obj, now),
        ",".join(f"{k}={v}" for k, v in sorted(selector.items())) or NONE,
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
    return ",".join(addresses) or NONE


def endpoints(obj: Obj, now: datetime) -> Cells:
    items = [
        f"{address['ip']}:{port['port']}" if port else address["ip"]
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or [None]
        for address in subset.get("addresses") or ()
    ]
    shown = some(items, 3) if items else NONE
    return [obj["metadata"]["name"], shown, age(obj, now)]


def endpoint_slice(obj: Obj, now: datetime) -> Cells:
    ports = [
        str(p["port"]) if p.get("port") is not None else p.get("name") or "*"
        for p in obj.get("ports") or ()
    ]
    addresses = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    return [
        obj["metadata"]["name"], obj.get("addressType", ""), some(ports, 3), some(addresses, 3),
        age(obj, now),
    ]  # fmt: skip


def policy(obj: Obj, now: datetime) -> Cells:
    selector = selectors.render(obj["spec"].get("podSelector"))
    return [obj["metadata"]["name"], selector, age(obj, now)]
