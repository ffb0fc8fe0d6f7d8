"""A cluster whose pods are pretended: for many rollouts on a small machine.

Real: the API server with its watches, and the controllers that make pods of Deployments, as in the
embedded cluster. Pretended: the node. Every pod is ready at once and has an address of its own, on
which this process answers what the operator asks: a router follows its ConfigMap and counts
requests that nobody sent, a server tells what it would have answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from pawl import constants as c
from pawl.api.crds import all_crds
from pawl.core.routing.route import Route
from pawl.local import state
from pawl.local.api import bootstrap
from pawl.local.api.errors import ApiError
from pawl.local.api.http.server import Server
from pawl.local.api.registry import Registry
from pawl.local.controllers.deployment.controller import DeploymentController
from pawl.local.controllers.garbage import GarbageCollector
from pawl.local.controllers.host import Host
from pawl.local.controllers.replicaset import ReplicaSetController
from pawl.local.node import network

Obj = dict[str, Any]
#: Requests a second of every Deployment.
RATE = 100
_MANAGER = "pretended-node"
_PAIRS = 64  # of a second, as servers keep them


@dataclass
class Counts:
    """What a router has counted of one of its clusters."""

    requests: float = 0.0
    errors: float = 0.0


@dataclass
class Router:
    """One router pod: it does what its ConfigMap says, from the moment on at which that is said.
    `bad` is the share of the candidate's requests (of every version but the first) that fail."""

    begun: float
    route: Route | None = None
    revisions: tuple[str, str] = ("", "")
    bad: float = 0.0
    counts: dict[str, Counts] = field(default_factory=dict)
    counted: float = 0.0

    def follow(self, config: Obj) -> None:
        self.count()
        self.route = Route.from_json(config["metadata"]["annotations"][c.ANNOTATION_ROUTE])
        files = (orjson.loads(config["data"][name]) for name in ("cds.yaml", "rds.yaml"))
        clusters, routes = (str(content["version_info"]) for content in files)
        self.revisions = clusters, routes

    def count(self) -> None:
        """The requests since the last time."""
        now = time.monotonic()
        requests, self.counted = RATE * (now - self.counted), now
        if self.route is None:
            return
        for version, weight in self.route.weights.items():
            self._add(f"v{version}", requests * (weight or 0) / 100, version)
        if self.route.shadow is not None:
            version = self.route.shadow.version
            self._add(f"v{version}-shadow", requests * self.route.shadow.percent / 100, version)

    def _add(self, cluster: str, requests: float, version: int) -> None:
        counts = self.counts.setdefault(cluster, Counts())
        counts.requests += requests
        counts.errors += requests * self.bad if version > 1 else 0.0

    def stats(self) -> bytes:
        self.count()
        lines = [
            f'cluster_manager.cds.version_text: "{self.revisions[0]}"',
            f'http.http.rds.models.version_text: "{self.revisions[1]}"',
            f"server.uptime: {int(time.monotonic() - self.begun)}",
        ]
        for cluster, counts in self.counts.items():
            lines.append(f"cluster.{cluster}.upstream_rq_completed: {int(counts.requests)}")
            lines.append(f"cluster.{cluster}.upstream_rq_5xx: {int(counts.errors)}")
        return "\n".join(lines).encode()

    def clusters(self) -> bytes:
        host = {"health_status": {"eds_health_status": "HEALTHY"}, "stats": []}
        versions = self.route.weights if self.route is not None else ()
        names = [f"v{version}{kind}" for version in versions for kind in ("", "-direct")]
        found = [{"name": name, "host_statuses": [host]} for name in names]
        return orjson.dumps({"cluster_statuses": found})


@dataclass(frozen=True)
class ModelServer:
    """One server pod."""

    model: str
    version: int

    def monitor(self, begin: int, end: int) -> bytes:
        requests = RATE * max(0, end - begin) // 2
        return orjson.dumps(
            {
                **self._head(begin, end),
                "requests": requests,
                "errors": 0,
                "refused": 0,
                "rows": requests,
                "predictions": requests,
                "latency": {"48": requests // 2, "60": requests - requests // 2},
                "valueKind": "logit",
                "values": {"90": requests // 2, "160": requests - requests // 2},
                "users": [],
                "feedback": {},
            }
        )

    def pairs(self, begin: int, end: int) -> bytes:
        rows = [
            [second * _PAIRS + i, second, i % 2, 0.25 + 0.5 * (i % 2), 0.001, 200]
            for second in range(begin, end)
            for i in range(_PAIRS)
        ]
        return orjson.dumps({**self._head(begin, end), "kind": "score", "pairs": rows})

    def _head(self, begin: int, end: int) -> Obj:
        return {
            "format": 1,
            "model": self.model,
            "version": self.version,
            "digest": "",
            "started": 0.0,
            "from": begin,
            "to": end,
        }


class _Answering(asyncio.Protocol):
    """As little HTTP as the operator's client needs."""

    def __init__(self, pod: Router | ModelServer, connected: set[asyncio.Transport]) -> None:
        self._pod = pod
        self._connected = connected
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connected.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connected.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            line, self._buffer = self._buffer.split(b"\r\n", 1)[0], self._buffer[end + 4 :]
            body = self._answer(line.split(b" ")[1].decode())
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)

    def _answer(self, target: str) -> bytes:
        url, pod = urlsplit(target), self._pod
        if isinstance(pod, Router):
            return pod.stats() if url.path == "/stats" else pod.clusters()
        query = parse_qs(url.query)
        begin, end = int(query["from"][0]), min(int(query["to"][0]), int(time.time()))
        return pod.monitor(begin, end) if url.path == "/monitor" else pod.pairs(begin, end)


@dataclass
class _Pod:
    """What listens for one; a server that closes keeps its connections."""

    server: asyncio.Server
    connected: set[asyncio.Transport]

    def close(self) -> None:
        self.server.close()
        for transport in self.connected:
            transport.abort()


class Pretence:
    """The node. `routers` are by Deployment."""

    def __init__(self, registry: Registry, net: network.Network) -> None:
        self.routers: dict[str, Router] = {}
        self._registry = registry
        self._net = net
        self._listening: dict[str, _Pod] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pods())
                group.create_task(self._config_maps())
        finally:
            for pod in self._listening.values():
                pod.close()
            await asyncio.sleep(0)  # connections are lost in the next turn

    async def _pods(self) -> None:
        watch = self._registry.watch("pods")
        watch.begin()
        async for event in watch:
            uid = event.object["metadata"]["uid"]
            if "deletionTimestamp" in event.object["metadata"] or event.type == "DELETED":
                self._end(event.object)
            elif uid not in self._listening:
                await self._begin(event.object)

    async def _config_maps(self) -> None:
        watch = self._registry.watch("configmaps")
        watch.begin()
        async for event in watch:
            labels = event.object["metadata"].get("labels", {})
            router = self.routers.get(labels.get(c.LABEL_DEPLOYMENT, ""))
            if router is not None and event.type != "DELETED":
                router.follow(event.object)

    async def _begin(self, pod: Obj) -> None:
        meta, labels = pod["metadata"], pod["metadata"]["labels"]
        answering: Router | ModelServer
        if labels[c.LABEL_ROLE] == c.ROLE_ROUTER:
            answering, port = self._router(meta["namespace"], labels), c.ROUTER_STATE_PORT
        else:
            answering = ModelServer(labels[c.LABEL_MODEL], int(labels[c.LABEL_VERSION]))
            port = c.MONITOR_PORT
        address = self._net.pod_ip(meta["uid"])
        connected: set[asyncio.Transport] = set()
        server = await asyncio.get_running_loop().create_server(
            lambda: _Answering(answering, connected), address, port
        )
        self._listening[meta["uid"]] = _Pod(server, connected)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status = {"phase": "Running", "podIP": address, "startTime": now, "conditions": [ready]}
        self._registry.update(
            "pods",
            meta["namespace"],
            {**pod, "status": status},
            manager=_MANAGER,
            subresource="status",
        )

    def _router(self, namespace: str, labels: dict[str, str]) -> Router:
        name = labels[c.LABEL_DEPLOYMENT]
        now = time.monotonic()
        router = self.routers[name] = Router(now, counted=now)
        router.follow(self._registry.get("configmaps", namespace, f"{name}-router"))
        return router

    def _end(self, pod: Obj) -> None:
        meta = pod["metadata"]
        listening = self._listening.pop(meta["uid"], None)
        if listening is None:
            return
        listening.close()
        self._net.release(meta["uid"])
        try:
            self._registry.delete(
                "pods", meta["namespace"], meta["name"], manager=_MANAGER, grace_period=0
            )
        except ApiError:
            return


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[Registry, Pretence]]:
    """A running one; its kubeconfig is `folder`/kubeconfig."""
    async with AsyncExitStack() as stack:
        net = network.claim()
        stack.callback(net.close)
        registry = Registry(services=net.service_cidr)
        bootstrap.populate(registry)
        token = secrets.token_urlsafe(32)
        server = Server(registry, token)
        await server.start(net.node_ip, [6443])
        stack.push_async_callback(server.stop)
        for crd in all_crds():
            registry.create(
                "apiextensions.k8s.io/customresourcedefinitions", None, crd, manager=_MANAGER
            )
        state.write_kubeconfig(
            folder / "kubeconfig", url=server.url, token=token, ca=server.ca, data=folder
        )
        node, stop = Pretence(registry, net), asyncio.Event()
        making = (
            DeploymentController(registry),
            ReplicaSetController(registry),
            GarbageCollector(registry),
        )
        tasks = [
            asyncio.create_task(Host(registry, making).run(stop)),
            asyncio.create_task(node.run()),
        ]
        try:
            yield registry, node
        finally:
            stop.set()
            tasks[1].cancel()
            await asyncio.wait(tasks)


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
