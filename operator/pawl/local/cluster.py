"""One embedded cluster: API server, controllers, node, DNS and service proxy on one event loop.

    async with Cluster(data) as cluster:      # in a test
        cluster.registry.create("pods", "default", pod, manager="test")

`serve` is the same for a command: it writes the kubeconfig, runs the operator if wanted, and
stays until SIGINT or SIGTERM.
"""

import asyncio
import logging
import os
import resource
import secrets
import signal
import sys
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pawl.api.crds import all_crds
from pawl.local import controllers, state
from pawl.local.api import bootstrap
from pawl.local.api.http.access import OperatorAccess
from pawl.local.api.http.server import Server
from pawl.local.api.registry import Registry
from pawl.local.node import network
from pawl.local.node.dns import DnsServer, RegistryCatalog
from pawl.local.node.host import Access, Host
from pawl.local.node.kubelet import Kubelet
from pawl.local.node.monitor import Monitor
from pawl.local.node.process import Process, Spawner
from pawl.local.node.services import ServiceProxy
from pawl.local.node.states import timestamp
from pawl.local.requests import Requests
from pawl.local.state import DataDirectory, Running
from pawl.local.supervisor import Supervisor

Obj = dict[str, Any]

log = logging.getLogger(__name__)

_API_PORTS = (6443, *range(16443, 16543))
_FILES = 65536
CRDS = "apiextensions.k8s.io/customresourcedefinitions"


class Cluster:
    """A running cluster between `__aenter__` and `__aexit__`.

    `url`, `token` and `kubeconfig` are how clients reach it; `registry` is the API without HTTP;
    `node` runs the pods. The kubeconfig is written below the data directory unless a path is given.
    """

    def __init__(self, data: Path, *, kubeconfig: Path | None = None, crds: bool = True) -> None:
        self.data = DataDirectory(data.absolute())
        self.kubeconfig = kubeconfig or self.data.path / "kubeconfig"
        self.token = secrets.token_urlsafe(32)
        self._operator_token = secrets.token_urlsafe(32)
        self._operators = self.data.path / "operator.kubeconfig"
        self.url = ""
        self.registry: Registry
        self.node: Kubelet
        self.host: Host
        self._crds = crds
        self._parts: set[asyncio.Task[None]] = set()
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.aclose()

    async def run_operators(self, count: int) -> None:
        """Start so many operators, each as a process of its own, and keep them running until the
        end. Of several the one works that holds the lease kube-system/pawl-operator."""
        log_file, several = self.data.logs / "operator.log", count > 1
        for number in range(1, count + 1):
            name = f"operator-{number}" if several else "operator"
            lease = {"PAWL_LEASE": "kube-system/pawl-operator", "PAWL_IDENTITY": name}
            start = partial(self._spawn_operator, lease if several else {})
            self._part(name, Supervisor(name, start, log_file).run())

    async def failed(self) -> None:
        """Returns or raises when a part of the cluster has ended, which none should."""
        done, _ = await asyncio.wait(self._parts, return_when="FIRST_COMPLETED")
        for part in done:
            part.result()

    async def _start(self) -> None:
        """Parts end in the reverse order: who makes pods before who runs them."""
        self.data.acquire()
        self._exits.callback(self.data.release)
        net = network.claim()
        self._exits.callback(net.close)
        self.registry = Registry(services=net.service_cidr)
        bootstrap.populate(self.registry)
        self._requests = Requests(self.registry)
        dns = DnsServer(RegistryCatalog(self.registry))
        address = await dns.open(net.dns_ip)
        self._exits.push_async_callback(dns.close)
        self.host = Host(
            registry=self.registry,
            network=net,
            spawner=Spawner(f"{os.getpid()}-{uuid.uuid4().hex}"),
            monitor=Monitor(),
            data=self.data.path,
            dns=address,
            access=self._access,
        )
        self._exits.push_async_callback(asyncio.to_thread, self.host.spawner.close)
        self.node = Kubelet(self.host)
        await self._start_api(net)
        self._part("scraper", self._requests.run())
        self._part("service proxy", ServiceProxy(self.registry, net.node_ip).run())
        self._stoppable("kubelet", self.node.run)
        self._stoppable("controllers", self._control)
        if self._crds:
            for crd in all_crds():
                self.registry.create(CRDS, None, crd, manager="pawl-local")
        state.write_kubeconfig(
            self.kubeconfig, url=self.url, token=self.token, ca=self._server.ca, data=self.data.path
        )
        self._exits.callback(self.kubeconfig.unlink, missing_ok=True)
        state.write_kubeconfig(
            self._operators, url=self.url, token=self._operator_token, ca=self._server.ca,
            data=self.data.path,
        )  # fmt: skip
        self._exits.callback(self._operators.unlink, missing_ok=True)

    async def _start_api(self, net: network.Network) -> None:
        limited = OperatorAccess(self._operator_token, self.data.logs / "operator-requests.jsonl")
        self._server = Server(
            self.registry, self.token, backend=self.node, operator=limited,
            pod_metric=self._requests,
        )  # fmt: skip
        try:
            await self._server.start(net.node_ip, _API_PORTS)
        except OSError as error:
            raise state.LocalError(f"no port for the API server: {error}") from None
        self._exits.push_async_callback(self._server.stop)
        self.url = self._server.url
        self._publish_api(net.node_ip, int(self.url.rpartition(":")[2]))

    def _publish_api(self, address: str, port: int) -> None:
        """Service default/kubernetes: the API server itself listens on its cluster IP."""
        ports = [{"name": "https", "port": port, "protocol": "TCP"}]
        labels = {"component": "apiserver", "provider": "kubernetes"}
        service = {
            "metadata": {"name": "kubernetes", "labels": labels},
            "spec": {"clusterIP": address, "ports": [{**ports[0], "targetPort": port}]},
        }
        endpoints = {
            "metadata": {
                "name": "kubernetes",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
        self.registry.create("services", "default", service, manager="kube-apiserver")
        self.registry.create(
            "discovery.k8s.io/endpointslices", "default", endpoints, manager="kube-apiserver"
        )

    def _access(self) -> Access:
        """How pods that may use the API reach it."""
        host, _, port = self.url.removeprefix("https://").rpartition(":")
        return Access(host, int(port), self.token.encode(), self.kubeconfig)

    async def _control(self, stop: asyncio.Event) -> None:
        await controllers.run(
            self.registry, metrics=self.node, pod_metric=self._requests, stop=stop
        )

    def _spawn_operator(self, lease: dict[str, str], output: int) -> Process:
        environment = {
            "PAWL_STORE": (self.data.path / "store").as_uri(),
            # names live for 5 s here, not for CoreDNS's 30 to 60
            "PAWL_SERVER_DRAIN_SECONDS": "10",
            "PAWL_NOTIFY_PRIVATE": "true",  # receivers are on this machine too
            **os.environ,
            "KUBECONFIG": str(self._operators),
            **lease,
        }
        return self.host.spawner.spawn(
            [sys.executable, "-m", "pawl", "operator"],
            env=environment,
            cwd=str(self.data.path),
            stdout=output,
            stderr=output,
        )

    def _stoppable(
        self, name: str, run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
    ) -> None:
        """A part that ends by itself when it is told to."""
        stop = asyncio.Event()
        task = self._remember(name, run(stop))

        async def end() -> None:
            stop.set()
            await asyncio.wait({task})

        self._exits.push_async_callback(end)

    def _part(self, name: str, run: Coroutine[Any, Any, None]) -> None:
        """A part that is cancelled."""
        task = self._remember(name, run)

        async def end() -> None:
            task.cancel()
            await asyncio.wait({task})

        self._exits.push_async_callback(end)

    def _remember(self, name: str, run: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(run, name=name)
        self._parts.add(task)
        return task


async def serve(
    kubeconfig: Path, data: Path, *, operators: int, ready: Callable[[Running], None]
) -> None:
    """Run a cluster until SIGINT or SIGTERM; `ready` is told when it serves."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    _allow_files()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with Cluster(data, kubeconfig=kubeconfig) as cluster:
        _log_to(cluster.data.logs / "cluster.log")
        await cluster.run_operators(operators)
        running = Running(
            pid=os.getpid(),
            url=cluster.url,
            kubeconfig=str(kubeconfig),
            operators=operators,
            started=timestamp(datetime.now(UTC)),
        )
        cluster.data.write(running)
        ready(running)
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(cluster.failed())
        await asyncio.wait({stopping, failing}, return_when="FIRST_COMPLETED")
        stopping.cancel()
        if failing.done():
            failing.result()
        failing.cancel()


def _allow_files() -> None:
    """Each container holds four files open, each proxied connection two sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _log_to(path: Path) -> None:
    logging.basicConfig(
        filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
