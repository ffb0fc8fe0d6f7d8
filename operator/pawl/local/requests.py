"""Requests per second of server pods: what Prometheus and prometheus-adapter tell of them.

Servers are scraped as Pawl's own PodMonitor says, and the metric is made as the adapter's rule of
docs/serving.md makes it: the sum of `rate(pawl_server_requests_total{operation="infer"}[1m])`.
Only pods in namespaces with a HorizontalPodAutoscaler by metrics of pods are scraped.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from pawl.constants import METRIC_REQUESTS
from pawl.control.pages import whole
from pawl.core.manifests.alerts import Limits, monitors
from pawl.local.api import selectors
from pawl.local.api.registry import Registry

Obj = dict[str, Any]

WINDOW = 60.0  # seconds, of the rate
_PERIOD, _PATIENCE = 5.0, 2.0  # seconds between two scrapes, and for the answer of one
_MOST = 16 << 20  # bytes of an answer
_SERIES, _OPERATION = "pawl_server_requests_total", "infer"
_MONITOR = dict(monitors(Limits()))["servers"]
_AUTOSCALERS = "autoscaling/horizontalpodautoscalers"


class Requests:
    """The metric `pawl_server_requests_per_second` of pods, as long as `run` runs."""

    name = METRIC_REQUESTS

    def __init__(self, registry: Registry, period: float = _PERIOD) -> None:
        self._registry, self._period = registry, period
        self._counted: dict[str, deque[tuple[float, float]]] = {}

    def rates(self, pods: Iterable[Obj]) -> dict[str, float]:
        """Requests per second by name, of the pods for which it is known."""
        found = {
            pod["metadata"]["name"]: per_second(self._counted.get(pod["metadata"]["uid"], ()))
            for pod in pods
        }
        return {name: rate for name, rate in found.items() if rate is not None}

    async def run(self) -> None:
        """Scrape until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._look(session)
                await asyncio.sleep(self._period)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        pods = {
            pod["metadata"]["uid"]: url
            for namespace in sorted(self._asking())
            for pod in self._registry.list("pods", namespace)
            if (url := address(pod, _MONITOR)) is not None
        }
        self._counted = {uid: self._counted.get(uid, deque()) for uid in pods}
        counts = await asyncio.gather(*(_count(session, url) for url in pods.values()))
        now = asyncio.get_running_loop().time()
        for points, count in zip(self._counted.values(), counts, strict=True):
            if count is not None:
                points.append((now, count))
            while points and now - points[0][0] > WINDOW:
                points.popleft()

    def _asking(self) -> set[str]:
        """Namespaces with an autoscaler by metrics of pods."""
        return {
            autoscaler["metadata"]["namespace"]
            for autoscaler in self._registry.list(_AUTOSCALERS)
            if any(metric["type"] == "Pods" for metric in autoscaler["spec"].get("metrics") or ())
        }


async def _count(session: aiohttp.ClientSession, url: str) -> float | None:
    """None when the pod does not answer, which a starting or ending one may do."""
    try:
        async with session.get(url) as answer:
            text = await whole(answer, _MOST) if answer.status == 200 else b""
        return counted(text.decode())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None


def address(pod: Obj, monitor: Mapping[str, Any]) -> str | None:
    """Where the pod is scraped by the spec of a PodMonitor; None when it is not, or not now."""
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or not status.get("podIP"):
        return None
    if not selectors.select(monitor["selector"], pod["metadata"].get("labels") or {}):
        return None
    (endpoint,) = monitor["podMetricsEndpoints"]
    ports = (
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("name") == endpoint["port"]
    )
    port = next(ports, None)
    return None if port is None else f"http://{status['podIP']}:{port}{endpoint['path']}"


def counted(text: str) -> float | None:
    """Inference requests that a server has answered, by its Prometheus text; None when the text
    does not say. ValueError when it cannot be read."""
    lines = "".join(f"{line}\n" for line in text.splitlines() if line.startswith(_SERIES))
    counts = [
        sample.value
        for family in text_string_to_metric_families(lines)
        for sample in family.samples
        if sample.name == _SERIES and sample.labels.get("operation") == _OPERATION
    ]
    return sum(counts) if counts else None


def per_second(points: Iterable[tuple[float, float]]) -> float | None:
    """The rate of a counter by its (time, count); one that has shrunk began again at 0. None with
    fewer than two points."""
    points = list(points)
    if len(points) < 2:
        return None
    steps = pairwise(count for _, count in points)
    increase = sum(after - before if after >= before else after for before, after in steps)
    return increase / (points[-1][0] - points[0][0])
