"""What the name `….cluster.local` means, as CoreDNS answers it. Pure but for the catalog it asks.

    NAME.NS.svc                  the cluster IP, or the ready endpoints of a headless service
    HOST.NAME.NS.svc             one endpoint, by its hostname or as 127-1-64-5
    _PORT._PROTOCOL.NAME.NS.svc  SRV
    127-1-64-5.NS.pod            that address

A headless service without a ready endpoint does not exist (NXDOMAIN); a name that exists without
a record of the asked type is an empty answer. Source: coredns plugin/kubernetes (findServices).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Literal, Protocol

Obj = dict[str, Any]

ZONE = "cluster.local"


class Catalog(Protocol):
    """Services and their EndpointSlices."""

    def namespace(self, name: str) -> bool: ...
    def service(self, namespace: str, name: str) -> Obj | None: ...
    def slices(self, namespace: str, service: str) -> Sequence[Obj]: ...


@dataclass(frozen=True)
class Answer:
    """`exists` False is NXDOMAIN. `records` are of `kind`; SRV targets have their addresses."""

    exists: bool
    addresses: tuple[str, ...] = ()
    alias: str = ""  # CNAME of an ExternalName service
    targets: tuple[tuple[str, int, str], ...] = ()  # SRV: (host name, port, address)


@dataclass(frozen=True)
class _Endpoint:
    address: str
    host: str  # its label in the service's domain
    ports: tuple[tuple[str, str, int], ...]  # (name, protocol, number)


_NOTHING = Answer(exists=False)
_EMPTY = Answer(exists=True)


def resolve(name: str, kind: Literal["A", "AAAA", "SRV", "other"], catalog: Catalog) -> Answer:
    """The answer for `name` (absolute, with or without the last dot) inside of ZONE."""
    labels = name.rstrip(".").lower().split(".")[: -ZONE.count(".") - 1]
    match labels:
        case [] | ["svc"] | ["pod"]:
            return _EMPTY
        case [namespace, "svc"] | [namespace, "pod"]:
            return Answer(exists=catalog.namespace(namespace))
        case [address, namespace, "pod"]:
            return _pod(address, namespace, catalog)
        case [*below, service, namespace, "svc"] if len(below) <= 2:
            return _service(below, service, namespace, kind, catalog)
    return _NOTHING


def in_zone(name: str) -> bool:
    plain = name.rstrip(".").lower()
    return plain == ZONE or plain.endswith("." + ZONE)


def _pod(label: str, namespace: str, catalog: Catalog) -> Answer:
    try:
        address = str(IPv4Address(label.replace("-", ".")))
    except ValueError:
        return _NOTHING
    return Answer(True, (address,)) if catalog.namespace(namespace) else _NOTHING


def _service(below: list[str], name: str, namespace: str, kind: str, catalog: Catalog) -> Answer:
    service = catalog.service(namespace, name)
    if service is None:
        return _NOTHING
    spec = service.get("spec") or {}
    domain = f"{name}.{namespace}.svc.{ZONE}"
    if spec.get("type") == "ExternalName":
        return Answer(True, alias=spec["externalName"]) if not below else _NOTHING
    headless = spec.get("clusterIP") == "None"
    if len(below) == 2 and all(label.startswith("_") for label in below):
        port, protocol = below[0][1:], below[1][1:]
    elif len(below) == 2:
        return _NOTHING
    else:
        port = protocol = ""
    if headless or len(below) == 1:
        host = below[0] if len(below) == 1 else ""
        found = [
            endpoint
            for endpoint in _endpoints(catalog.slices(namespace, name))
            if not host or endpoint.host == host
        ]
        targets = [
            (f"{endpoint.host}.{domain}", number, endpoint.address)
            for endpoint in found
            for number in _matching(endpoint.ports, port, protocol)
        ]
    else:
        ports = tuple(
            (entry.get("name") or "", entry.get("protocol") or "TCP", entry["port"])
            for entry in spec.get("ports") or ()
        )
        address = spec.get("clusterIP") or ""
        targets = [(domain, number, address) for number in _matching(ports, port, protocol)]
    return _answer(targets, kind)


def _answer(targets: list[tuple[str, int, str]], kind: str) -> Answer:
    if not targets:
        return _NOTHING
    if kind == "A":
        return Answer(True, tuple(dict.fromkeys(address for _, _, address in targets)))
    if kind == "SRV":
        return Answer(True, targets=tuple(dict.fromkeys(targets)))
    return _EMPTY


def _matching(ports: tuple[tuple[str, str, int], ...], port: str, protocol: str) -> Iterator[int]:
    for name, kind, number in ports:
        if (not port or port == name.lower()) and (not protocol or protocol == kind.lower()):
            yield number


def _endpoints(slices: Sequence[Obj]) -> Iterator[_Endpoint]:
    for each in slices:
        ports = tuple(
            (entry.get("name") or "", entry.get("protocol") or "TCP", entry.get("port") or 0)
            for entry in each.get("ports") or ()
        )
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in endpoint["addresses"]:
                host = endpoint.get("hostname") or address.replace(".", "-")
                # a service without ports has addresses all the same
                yield _Endpoint(address, host.lower(), ports or (("", "TCP", 0),))
