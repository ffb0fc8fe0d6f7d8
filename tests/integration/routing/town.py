"""A router, its pods and its DNS on loopback addresses of their own: what Envoy does with what is
written for it. Files are swapped as a kubelet does it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psutil
from client import Client
from dnslib import RR, A, DNSRecord
from pod import Pod

from pawl.control.routers import Routers
from pawl.core.routing import envoy
from pawl.core.routing.route import Backend, Route, Shadow, Sticky
from pawl.core.routing.state import RouterState
from pawl.local.node.envoy import local_argv


def backend(version: int, weight: int | None) -> Backend:
    return Backend(version, f"v{version}.pods.", 8080, weight)


def route(
    weights: dict[int, int | None],
    *,
    shadow: Shadow | None = None,
    sticky: Sticky | None = None,
    timeout: int = 30,
    tls: bool = False,
) -> Route:
    backends = tuple(backend(version, weight) for version, weight in weights.items())
    return Route("churn", backends, timeout, shadow, sticky, tls)


_SMALL_SEND_BUFFER = {
    "source_address": {"address": "0.0.0.0", "port_value": 0},
    "socket_options": [
        {
            "level": socket.SOL_SOCKET,
            "name": socket.SO_SNDBUF,
            "int_value": 4096,
            "state": "STATE_PREBIND",
        }
    ],
}


class Town:
    """`address` is the router's. Pods are made by `pod`, routes by `publish`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = self._next()
        self.client = Client(self.address)
        self.pods: list[Pod] = []
        self._dns = Dns(self.pods)
        self._routers: list[Router] = []

    _count = 0

    @classmethod
    def _next(cls) -> str:
        """A process makes few addresses, of the 64,000 that begin with its own."""
        cls._count += 1
        return f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.{cls._count % 250 + 1}"

    @property
    def dns(self) -> tuple[str, int]:
        return self._dns.address

    async def open(self) -> None:
        await self._dns.open(self._next())

    async def close(self) -> None:
        await self.client.close()
        for router in self._routers:
            await router.stop()
        for pod in self.pods:
            pod.die()
        self._dns.close()

    async def pod(self, version: int, count: int = 1, *, narrow: bool = False) -> list[Pod]:
        made = [await Pod(version, self._next(), narrow=narrow).start() for _ in range(count)]
        self.pods += made
        return made

    async def start(
        self, first: Route, address: str | None = None, tls: dict[str, str] | None = None
    ) -> Router:
        """A router that is ready with its first route; `tls` are the files of its Secret."""
        folder = self.folder / f"router{len(self._routers)}"
        router = Router(folder, address or self.address, self.dns)
        self._routers.append(router)
        router.publish(first)
        if tls is not None:
            router.swap(router.tls, tls)
        await router.start(tls=first.tls)
        await router.follows(first)
        return router

    async def second(self, first: Route) -> tuple[Router, Client]:
        """Another router with the same pods."""
        address = self._next()
        return await self.start(first, address), Client(address)


class Router:
    """An Envoy with the folders that a router pod has."""

    def __init__(self, folder: Path, address: str, dns: tuple[str, int]) -> None:
        self.config, self.tls, self._cwd = folder / "config", folder / "tls", folder / "tmp"
        for path in (self.config, self.tls, self._cwd):
            path.mkdir(parents=True)
        self.address, self._dns = address, dns
        self._revision = 0
        self.narrow = False  # next to nothing is kept in the kernel on the way to the shadow
        self._process: asyncio.subprocess.Process | None = None

    def publish(self, wanted: Route) -> None:
        files = {"cds.yaml": envoy.clusters(wanted), "rds.yaml": envoy.routes(wanted)}
        if self.narrow:
            for cluster in files["cds.yaml"]["resources"]:
                if "-shadow" in cluster["name"]:
                    cluster["upstream_bind_config"] = _SMALL_SEND_BUFFER
        if wanted.tls:
            files["sds.yaml"] = envoy.secrets()
        self.swap(self.config, {name: json.dumps(value) for name, value in files.items()})

    def swap(self, folder: Path, files: dict[str, str]) -> None:
        """As the kubelet does: a new folder, then one swap of the link `..data`."""
        self._revision += 1
        data = folder / f"..{self._revision}"
        data.mkdir()
        for name, text in files.items():
            (data / name).write_text(text)
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(Path("..data") / name)
        (folder / "..swap").symlink_to(data.name)
        (folder / "..swap").rename(folder / "..data")

    async def start(self, *, tls: bool = False) -> None:
        text = json.dumps(envoy.bootstrap(tls=tls)).replace("$(BIND_ADDRESS)", self.address)
        text = text.replace(envoy.CONFIG_DIR, str(self.config))
        argv = local_argv(
            ["envoy", "--config-yaml", text, "--log-level", "error", "--concurrency", "1"],
            self._dns,
        )
        self._process = await asyncio.create_subprocess_exec(*argv, cwd=self._cwd)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def megabytes(self) -> float:
        assert self._process is not None
        return psutil.Process(self._process.pid).memory_info().rss / 1e6

    async def state(self) -> RouterState:
        """Through the operator's own eyes."""
        pod = {
            "metadata": {"name": "router-0", "uid": "uid"},
            "status": {
                "podIP": self.address,
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"restartCount": 0}],
            },
        }
        routers = Routers()
        try:
            return (await routers.states([pod]))[0]
        finally:
            await routers.close()

    async def statistic(self, name: str) -> int:
        """One counter or gauge of Envoy's."""
        url = f"http://{self.address}:8081/stats"
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(url, params={"filter": f"^{re.escape(name)}$"})).text
        return int(text.rpartition(":")[2])

    async def follows(self, wanted: Route) -> RouterState:
        return await self.until(
            lambda state: (
                state.clusters_revision == wanted.clusters_revision
                and state.routes_revision == wanted.routes_revision
            )
        )

    async def until(self, holds: Callable[[RouterState], bool]) -> RouterState:
        found: list[RouterState] = []

        async def met() -> bool:
            found.append(await self.state())
            return holds(found[-1])

        await eventually(met)
        return found[-1]


class Dns(asyncio.DatagramProtocol):
    """`v7.pods.` are the addresses of the pods of version 7 that were started, each time in
    another order, as a cluster's DNS gives them."""

    def __init__(self, pods: list[Pod]) -> None:
        self._pods = pods
        self._asked = 0

    async def open(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(host, 0), family=socket.AF_INET
        )
        self.address: tuple[str, int] = self._transport.get_extra_info("sockname")

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        name = str(question.q.qname)
        answer = question.reply()
        found = [pod.address for pod in self._pods if name == f"v{pod.version}.pods."]
        self._asked += 1
        first = self._asked % max(1, len(found))
        for address in found[first:] + found[:first]:
            answer.add_answer(RR(name, rdata=A(address), ttl=1))
        self._transport.sendto(answer.pack(), addr)


async def eventually(holds: Callable[[], bool | Awaitable[bool]], within: float = 30) -> None:
    """Waits for a condition, which is asked again and again."""
    deadline = time.monotonic() + within
    while True:
        held = holds()
        if held if isinstance(held, bool) else await held:
            return
        assert time.monotonic() < deadline, "never"
        await asyncio.sleep(0.02)
