"""How pods find each other: cluster IPs, DNS, and Envoy that resolves names."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord

from pawl.local.node import usage

Obj = dict[str, Any]

# Answers every request with its name.
SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ['HOSTNAME'].encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer((os.environ['BIND_ADDRESS'], 8080), Handler).serve_forever()
"""


def server() -> Obj:
    return {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "c",
                "image": "python:3",
                "command": ["python", "-c", SERVER],
                "ports": [{"name": "web", "containerPort": 8080}],
                "readinessProbe": {"tcpSocket": {"port": "web"}},
            }
        ],
    }


def service(name: str = "web", **spec: Any) -> Obj:
    ports = [{"port": 8080, "targetPort": "web", "name": "http"}]
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


async def get(address: str, port: int) -> str:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2].decode()


async def get_soon(address: str, port: int) -> str:
    """As soon as it answers; the proxy and Envoy tell nobody when they are there."""
    async with asyncio.timeout(20):
        while True:
            try:
                if answer := await get(address, port):
                    return answer
            except (ConnectionError, OSError):
                await asyncio.sleep(0.02)


async def refused_soon(address: str, port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await get(address, port)
            except ConnectionError:
                return
            await asyncio.sleep(0.02)


async def names(pods: Any, name: str) -> set[str]:
    address, port = pods.cluster.host.dns
    reply = await asyncio.to_thread(DNSRecord.question(name).send, address, port, timeout=5)
    return {str(rr.rdata) for rr in DNSRecord.parse(reply).rr}


@pytest.fixture
async def web(pods: Any) -> Any:
    """Two ready pods of app `web` with a cluster IP and a headless service."""
    pods.make("services", service())
    pods.make("services", service("nodes", clusterIP="None"))
    for name in ("one", "two"):
        pods.create(server(), name, labels={"app": "web"})
    for name in ("one", "two"):
        await pods.ready(name)
    return pods


async def test_a_cluster_ip_spreads_connections_and_refuses_without_pods(web: Any) -> None:
    address = web.registry.get("services", "default", "web")["spec"]["clusterIP"]
    assert await get_soon(address, 8080) in ("one", "two")
    assert {await get(address, 8080) for _ in range(6)} == {"one", "two"}
    for name in ("one", "two"):
        web.delete(name)
        await web.gone(name)
    await refused_soon(address, 8080)


async def test_a_killed_proxy_comes_back(web: Any) -> None:
    address = web.registry.get("services", "default", "web")["spec"]["clusterIP"]
    await get_soon(address, 8080)
    (proxy,) = (
        process.pid
        for process in usage.processes()
        if process.parent == os.getpid() and b"/proxy.py" in command(process.pid)
    )
    os.kill(proxy, signal.SIGKILL)
    assert await get_soon(address, 8080) in ("one", "two")


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_names_of_services(web: Any) -> None:
    address = web.registry.get("services", "default", "web")["spec"]["clusterIP"]
    assert await names(web, "web.default.svc.cluster.local") == {address}
    addresses = {web.get(name)["status"]["podIP"] for name in ("one", "two")}
    assert await names(web, "nodes.default.svc.cluster.local") == addresses
    assert await names(web, "kubernetes.default.svc.cluster.local") == {
        web.cluster.host.network.node_ip
    }


async def test_pods_know_services_by_their_variables(web: Any, words: Any) -> None:
    web.create(
        {
            "restartPolicy": "Never",
            "containers": [words.sh("echo $WEB_SERVICE_HOST:$WEB_SERVICE_PORT")],
        }
    )
    await web.finished()
    address = web.registry.get("services", "default", "web")["spec"]["clusterIP"]
    assert await web.logs() == f"{address}:8080\n"


async def test_python_programs_find_services_by_name(web: Any) -> None:
    code = "import urllib.request as r; print(r.urlopen('http://web:8080').read().decode())"
    address = web.registry.get("services", "default", "web")["spec"]["clusterIP"]
    await get_soon(address, 8080)
    container = {"name": "c", "image": "python:3", "command": ["python", "-c", code]}
    web.create({"restartPolicy": "Never", "containers": [container]})
    await web.finished()
    assert await web.logs() in ("one\n", "two\n")


async def test_envoy_finds_its_endpoints_by_name(web: Any) -> None:
    endpoint = {"address": "nodes.default.svc.cluster.local", "port_value": 8080}
    load = {
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": endpoint}}}]}]
    }
    cluster = {
        "name": "web",
        "type": "STRICT_DNS",
        "dns_refresh_rate": "0.1s",
        "load_assignment": {"cluster_name": "web", **load},
    }
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    listener = {
        "name": "in",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 8080}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    static = json.dumps({"static_resources": {"clusters": [cluster], "listeners": [listener]}})
    container = {"name": "c", "image": "envoyproxy/envoy:v1.40", "args": ["--config-yaml", static]}
    web.create({"terminationGracePeriodSeconds": 1, "containers": [container]}, "router")
    pod = await web.ready("router")
    assert await get_soon(pod["status"]["podIP"], 8080) in ("one", "two")
    assert {await get(pod["status"]["podIP"], 8080) for _ in range(8)} == {"one", "two"}
