"""The Envoys of the router benchmark: cheap pods, the router, and one with nothing on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.answer import ANSWER
from pawl.control.routers import parse_state
from pawl.core.routing import envoy
from pawl.core.routing.route import Route
from pawl.local.node.envoy import binary

PATH = "/v2/models/churn/infer"
_BUFFER = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"
_FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_HCM = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
    "HttpConnectionManager"
)


@dataclass(frozen=True)
class Bare:
    """A running Envoy without any of our configuration."""

    url: str
    process: psutil.Process


@dataclass(frozen=True)
class Router:
    """A running router; `publish` swaps its files as a kubelet does."""

    folder: Path
    address: str
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://{self.address}:8080{PATH}"

    @property
    def megabytes(self) -> float:
        return self.process.memory_info().rss / 1e6

    def publish(self, route: Route) -> None:
        """Returns when the router follows and finds a pod of each version healthy."""
        swap(self.folder, route)
        eventually(lambda: self._follows(route))

    def _follows(self, route: Route) -> bool:
        try:
            with httpx.Client(base_url=f"http://{self.address}:8081", trust_env=False) as http:
                texts = http.get("/stats", params={"filter": "version_text"}).text
                clusters = http.get("/clusters", params={"format": "json"}).content
        except httpx.HTTPError:
            return False
        state = parse_state(texts, clusters)
        return (state.clusters_revision, state.routes_revision) == (
            route.clusters_revision,
            route.routes_revision,
        ) and all(state.healthy.get(backend.version) for backend in route.backends)


def cpu(process: psutil.Process) -> float:
    """Seconds, user and system."""
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def pod(port: int, *, hangs: bool = False) -> Iterator[None]:
    """An Envoy that answers everything by itself; or is ready and answers no inference."""
    answer = {"status": 200, "body": {"inline_string": ANSWER.decode()}}
    table: list[dict[str, Any]] = [{"match": {"prefix": "/"}, "direct_response": answer}]
    # An answer that is given before the body was read closes the connection.
    buffer = {"@type": _BUFFER, "max_request_bytes": 1 << 20}
    filters: list[dict[str, Any]] = [
        {"name": "envoy.filters.http.buffer", "typed_config": buffer},
        {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}},
    ]
    if hangs:
        delay = {"fixed_delay": "3600s", "percentage": {"numerator": 100}}
        fault = {"@type": _FAULT, "delay": delay}
        waiting = {"match": {"path": PATH}, "direct_response": answer}
        table.insert(0, {**waiting, "typed_per_filter_config": {"envoy.filters.http.fault": fault}})
        filters.insert(0, {"name": "envoy.filters.http.fault", "typed_config": {"@type": _FAULT}})
    config = listener(port, table, filters)
    with tempfile.TemporaryDirectory() as folder, process(json.dumps(config), folder):
        eventually(lambda: listens("127.0.0.1", port))
        yield


@contextmanager
def bare_envoy(port: int, target: int) -> Iterator[Bare]:
    """One route to one address."""
    filters = [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}]
    table = [{"match": {"prefix": "/"}, "route": {"cluster": "pods"}}]
    config = listener(port, table, filters)
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": target}}}
    endpoints = [{"lb_endpoints": [{"endpoint": endpoint}]}]
    assignment = {"cluster_name": "pods", "endpoints": endpoints}
    cluster = {"name": "pods", "type": "STATIC", "load_assignment": assignment}
    config["static_resources"]["clusters"] = [cluster]
    with tempfile.TemporaryDirectory() as folder, process(json.dumps(config), folder) as started:
        eventually(lambda: listens("127.0.0.1", port))
        yield Bare(f"http://127.0.0.1:{port}{PATH}", psutil.Process(started.pid))


@contextmanager
def one_core(*processes: psutil.Process) -> Iterator[None]:
    """All threads of these processes, and what this one starts meanwhile, share one core."""
    cores = os.sched_getaffinity(0)
    threads = [0, *(thread.id for process in processes for thread in process.threads())]
    for thread in threads:
        os.sched_setaffinity(thread, {min(cores)})
    try:
        yield
    finally:
        for thread in threads:
            os.sched_setaffinity(thread, cores)


@contextmanager
def prompt(port: int) -> Iterator[psutil.Process]:
    """A pod that answers sooner than an Envoy can."""
    started = subprocess.Popen([sys.executable, "-m", "benchmarks.prompt_server", str(port)])
    try:
        eventually(lambda: listens("127.0.0.1", port))
        yield psutil.Process(started.pid)
    finally:
        started.kill()
        started.wait()


def listener(
    port: int, table: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> dict[str, Any]:
    """A bootstrap with one listener."""
    manager = {
        "@type": _HCM,
        "stat_prefix": "pod",
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": table}]},
        "http_filters": filters,
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"static_resources": {"listeners": [{"address": address, "filter_chains": [chain]}]}}


@contextmanager
def running_router(folder: Path, first: Route) -> Iterator[Router]:
    address = f"127.77.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
    (folder / "config").mkdir()
    swap(folder, first)
    text = json.dumps(envoy.bootstrap()).replace("$(BIND_ADDRESS)", address)
    text = text.replace(envoy.CONFIG_DIR, str(folder / "config"))
    with process(text, str(folder)) as started:
        eventually(lambda: listens(address, 8080))
        yield Router(folder, address, psutil.Process(started.pid))


@contextmanager
def process(config: str, folder: str) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ["--concurrency", "1", "--log-level", "critical", "--disable-hot-restart"]
    started = subprocess.Popen([binary(), "--config-yaml", config, *arguments], cwd=folder)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def swap(folder: Path, route: Route) -> None:
    """A new folder, then one swap of the link `..data`."""
    config = folder / "config"
    data = Path(tempfile.mkdtemp(prefix="..", dir=config))
    for name, content in (("cds.yaml", envoy.clusters(route)), ("rds.yaml", envoy.routes(route))):
        (data / name).write_text(json.dumps(content))
        if not (config / name).is_symlink():
            (config / name).symlink_to(Path("..data") / name)
    (config / "swap").symlink_to(data.name)
    (config / "swap").rename(config / "..data")


def listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("never")
        time.sleep(0.05)
