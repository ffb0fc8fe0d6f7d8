"""The requests of the demo, and what it tells at the end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from pawl.control.kinds import MODEL_VERSIONS
from pawl.control.kube import Kube
from pawl.errors import PawlError

NAMESPACE = "default"


class DemoError(PawlError):
    """A step did not happen."""

    reason = "DemoFailed"


@dataclass
class Traffic:
    """What came of the requests that were sent through the router."""

    ok: int = 0
    failed: list[str] = field(default_factory=list)
    right: int = 0
    seconds: list[float] = field(default_factory=list)
    by_version: dict[str, int] = field(default_factory=dict)

    def quantile(self, q: float) -> float:
        """Latency in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))]


async def send(
    url: str,
    rows: list[dict[str, Any]],
    traffic: Traffic,
    *,
    limit: int | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """One row a request, up to `limit` requests or until `stop`."""
    features = [name for name in rows[0] if name not in ("patient_id", "diagnosis")]
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for number in range(limit if limit is not None else 1_000_000):
            if stop is not None and stop.is_set():
                return
            row = rows[number % len(rows)]
            body = {
                "inputs": [
                    {"name": name, "datatype": "FP64", "shape": [1], "data": [row[name]]}
                    for name in features
                ]
            }
            await _one(session, url, body, row["diagnosis"], traffic)
            if stop is not None:
                await asyncio.sleep(0.01)


async def _one(
    session: aiohttp.ClientSession, url: str, body: Any, truth: str, traffic: Traffic
) -> None:
    begun = time.perf_counter()
    try:
        async with session.post(url, json=body) as response:
            answer = await response.json(content_type=None)
            if response.status != 200:
                traffic.failed.append(f"HTTP {response.status}: {answer}")
                return
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        traffic.failed.append(repr(error))
        return
    traffic.seconds.append(time.perf_counter() - begun)
    traffic.ok += 1
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    traffic.right += outputs["label"][0] == truth
    version = answer["model_version"]
    traffic.by_version[version] = traffic.by_version.get(version, 0) + 1


def expect_all_answered(traffic: Traffic) -> None:
    if traffic.failed:
        raise DemoError(f"{len(traffic.failed)} requests failed, the first: {traffic.failed[0]}")
    if not traffic.ok:
        raise DemoError("no request was sent")


async def report(kube: Kube, console: Console, before: Traffic, after: Traffic) -> None:
    versions, _ = await kube.list(MODEL_VERSIONS, NAMESPACE)
    console.print()
    table = Table(title="versions", title_justify="left")
    for column in ("version", "stage", "trained by", "roc_auc", "log_loss", "accuracy", "gates"):
        table.add_column(column)
    for version in sorted(versions, key=lambda item: item["spec"]["version"]):
        spec, metrics = version["spec"], version["spec"]["metrics"]
        table.add_row(
            version["metadata"]["name"],
            version["status"]["stage"],
            spec["lineage"]["trainingJob"]["name"],
            *(f"{metrics[name]:.4f}" for name in ("roc_auc", "log_loss", "accuracy")),
            ", ".join(f"{gate['kind']} {gate['verdict']}" for gate in spec.get("gates", [])),
        )
    console.print(table)
    table = Table(title="requests", title_justify="left")
    for column in ("while", "sent", "failed", "answered by", "right", "p50", "p99"):
        table.add_column(column)
    for name, traffic in (("v1 served", before), ("v2 replaced v1", after)):
        by = ", ".join(f"v{v}: {n}" for v, n in sorted(traffic.by_version.items()))
        table.add_row(
            name,
            str(traffic.ok + len(traffic.failed)),
            str(len(traffic.failed)),
            by,
            f"{traffic.right / traffic.ok:.1%}",
            f"{traffic.quantile(0.5):.1f} ms",
            f"{traffic.quantile(0.99):.1f} ms",
        )
    console.print(table)


def next_steps(console: Console) -> None:
    console.print("\n[bold]Next[/]")
    for line in (
        ".venv/bin/pawl demo --keep           # the same, and the cluster stays",
        "kubectl describe tj breast-cancer-2  # what a run tells",
        "kubectl get mv breast-cancer-v2 -o yaml",
        "kubectl explain mdep.spec",
        "kubectl patch mdep breast-cancer --type merge -p "
        '\'{"spec":{"version":"breast-cancer-v1"}}\'   # roll back by a pin',
    ):
        console.print(f"  {line}", highlight=False, markup=False)
