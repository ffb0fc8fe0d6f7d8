"""From Services and EndpointSlices to the proxy's table (what kube-proxy does).

For every TCP port of a service with a cluster IP: the ready endpoints, else those that terminate
but still serve. A NodePort is served on the node's address. Ports below 1024 need a privilege
that the cluster usually does not have: the service gets a warning event that says so.
"""

import asyncio
import contextlib
import errno
from collections.abc import Iterator, Mapping
from typing import Any

from pawl.local.node.host import Registry
from pawl.local.node.proxy import Address
from pawl.local.node.proxyprocess import ProxyProcess

Obj = dict[str, Any]

COMPONENT = "kube-proxy"
_SLICES = "discovery.k8s.io/endpointslices"
_NAME_LABEL = "kubernetes.io/service-name"


def table(services: list[Obj], slices: list[Obj], node_ip: str) -> dict[Address, list[Address]]:
    """Address to listen on -> endpoints, for all services. Pure."""
    by_service: dict[tuple[str, str], list[Obj]] = {}
    for each in slices:
        metadata = each["metadata"]
        name = (metadata.get("labels") or {}).get(_NAME_LABEL, "")
        by_service.setdefault((metadata["namespace"], name), []).append(each)
    found: dict[Address, list[Address]] = {}
    for service in services:
        metadata, spec = service["metadata"], service.get("spec") or {}
        if spec.get("clusterIP") in (None, "", "None"):
            continue
        own = by_service.get((metadata["namespace"], metadata["name"]), [])
        for port in spec.get("ports") or ():
            if port.get("protocol", "TCP") != "TCP":
                continue
            endpoints = sorted(_endpoints(own, port.get("name") or ""))
            for address in _addresses(spec, port, node_ip):
                if address not in endpoints:  # default/kubernetes is served by the API server
                    found[address] = endpoints
    return found


class ServiceProxy:
    """Keeps the proxy in step with the registry."""

    def __init__(self, registry: Registry, node_ip: str) -> None:
        self._registry = registry
        self._node_ip = node_ip
        self._changed = asyncio.Event()
        self._proxy = ProxyProcess(self._changed.set)
        self._told: set[Address] = set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow("services"))
                group.create_task(self._follow(_SLICES))
                group.create_task(self._apply())
        finally:
            await self._proxy.close()

    async def _follow(self, resource: str) -> None:
        while True:
            with contextlib.closing(self._registry.watch(resource)) as watch:
                self._changed.set()
                async for _ in watch:
                    self._changed.set()

    async def _apply(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            services = self._registry.list("services")
            wanted = table(services, self._registry.list(_SLICES), self._node_ip)
            failed = await self._proxy.apply(wanted)
            self._told &= failed.keys()
            self._tell(services, {a: e for a, e in failed.items() if a not in self._told})
            self._told |= failed.keys()

    def _tell(self, services: list[Obj], failed: Mapping[Address, OSError]) -> None:
        for service in services:
            spec = service.get("spec") or {}
            for port in spec.get("ports") or ():
                for address in _addresses(spec, port, self._node_ip):
                    if address in failed:
                        self._registry.event(
                            service,
                            type="Warning",
                            reason="PortNotServed",
                            message=_explained(address, failed[address]),
                            component=COMPONENT,
                        )


def _addresses(spec: Obj, port: Obj, node_ip: str) -> Iterator[Address]:
    if spec.get("clusterIP") not in (None, "", "None"):
        yield spec["clusterIP"], port["port"]
    if port.get("nodePort"):
        yield node_ip, port["nodePort"]


def _endpoints(slices: list[Obj], port_name: str) -> set[Address]:
    ready: set[Address] = set()
    terminating: set[Address] = set()
    for each in slices:
        for port in each.get("ports") or ():
            if (port.get("name") or "") != port_name or not port.get("port"):
                continue
            for endpoint in each.get("endpoints") or ():
                conditions = endpoint.get("conditions") or {}
                addresses = {(address, port["port"]) for address in endpoint["addresses"]}
                if conditions.get("ready") is not False:
                    ready |= addresses
                elif conditions.get("serving") and conditions.get("terminating"):
                    terminating |= addresses
    return ready or terminating


def _explained(address: Address, error: OSError) -> str:
    host, port = address
    if error.errno == errno.EACCES:
        return (
            f"the embedded cluster cannot listen on {host}:{port}: ports below 1024 need a "
            "privilege; use a port from 1024 on (targetPort may stay), or a cluster run by root"
        )
    return f"the embedded cluster cannot listen on {host}:{port}: {error.strerror or error}"
