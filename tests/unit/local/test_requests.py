"""Requests per second of pods: scraped, summed, and made a rate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pawl.constants import METRIC_REQUESTS
from pawl.local.api import bootstrap
from pawl.local.api.registry import Registry
from pawl.local.requests import Requests, counted, per_second

DEADLINE = 5.0
SERVER = {"app.kubernetes.io/managed-by": "pawl", "pawl.dev/role": "server"}
TEXT = """\
# HELP pawl_server_requests_total Answers, by operation and code.
# TYPE pawl_server_requests_total counter
pawl_server_requests_total{operation="infer",code="200"} 40
pawl_server_requests_total{operation="infer",code="503"} 2
pawl_server_requests_total{operation="health",code="200"} 900
pawl_server_in_flight_requests 3
"""


def test_only_inference_is_counted_whatever_its_answer() -> None:
    assert counted(TEXT) == 42


def test_a_text_without_the_series_says_nothing() -> None:
    assert counted("up 1\n") is None


@pytest.mark.parametrize(
    ("points", "rate"),
    [
        pytest.param([], None, id="never-scraped"),
        pytest.param([(0, 5)], None, id="scraped-once"),
        pytest.param([(0, 5), (5, 5)], 0.0, id="idle"),
        pytest.param([(0, 5), (5, 10), (10, 25)], 2.0, id="over-the-whole-window"),
        pytest.param([(0, 100), (5, 10)], 2.0, id="a-restart-begins-at-zero"),
    ],
)
def test_rates(points: list[tuple[float, float]], rate: float | None) -> None:
    assert per_second(points) == rate


@given(st.lists(st.integers(0, 10**9), min_size=2))
def test_a_rate_is_never_negative(counts: list[int]) -> None:
    rate = per_second([(float(at), float(count)) for at, count in enumerate(counts)])
    assert rate is not None
    assert rate >= 0


class Counting:
    """Answers /metrics with the next multiple of 10."""

    def __init__(self) -> None:
        self.asked, self.third = 0, asyncio.Event()

    async def answer(self, _: web.BaseRequest) -> web.Response:
        self.asked += 1
        if self.asked == 3:
            self.third.set()
        line = f'pawl_server_requests_total{{operation="infer",code="200"}} {10 * self.asked}\n'
        return web.Response(text=line)

    @asynccontextmanager
    async def port(self) -> AsyncIterator[int]:
        runner = web.ServerRunner(web.Server(self.answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
        await runner.cleanup()


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    bootstrap.populate(registry)
    return registry


def add_pod(
    registry: Registry, name: str, port: int, labels: dict[str, str], namespace: str = "default"
) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": port}]
    spec = {"containers": [{"name": "server", "image": "i", "ports": ports}]}
    pod = {"metadata": {"name": name, "labels": labels}, "spec": spec}
    registry.create("pods", namespace, pod, manager="test")
    state = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    return registry.patch(
        "pods", namespace, name, {"status": state}, kind="merge", manager="test",
        subresource="status",
    )  # fmt: skip


def add_autoscaler(registry: Registry, namespace: str, metric: dict[str, Any]) -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"maxReplicas": 5, "scaleTargetRef": ref, "metrics": [metric]}
    body = {"metadata": {"name": "h"}, "spec": spec}
    registry.create("autoscaling/horizontalpodautoscalers", namespace, body, manager="test")


BY_REQUESTS = {
    "type": "Pods",
    "pods": {
        "metric": {"name": METRIC_REQUESTS},
        "target": {"type": "AverageValue", "averageValue": "5"},
    },
}
BY_CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}


async def test_servers_are_scraped_where_an_autoscaler_asks(registry: Registry) -> None:
    registry.create("namespaces", None, {"metadata": {"name": "quiet"}}, manager="test")
    add_autoscaler(registry, "default", BY_REQUESTS)
    add_autoscaler(registry, "quiet", BY_CPU)
    requests, mine, other = Requests(registry, period=0.01), Counting(), Counting()
    async with mine.port() as port, other.port() as elsewhere:
        pods = [
            add_pod(registry, "server", port, SERVER),
            add_pod(registry, "other", elsewhere, {"app": "other"}),
            add_pod(registry, "dead", 1, SERVER),
            add_pod(registry, "unasked", elsewhere, SERVER, "quiet"),
        ]
        running = asyncio.create_task(requests.run())
        async with asyncio.timeout(DEADLINE):
            await mine.third.wait()  # what the two before it said is known by now
        running.cancel()
    rates = requests.rates(pods)
    assert list(rates) == ["server"]
    assert rates["server"] > 0
    assert other.asked == 0
