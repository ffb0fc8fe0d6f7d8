"""Many rollouts at once in one operator: reconciles, memory, and whether anybody starves.

    python -m benchmarks.many_rollouts [--rollouts 200] [--seconds 60]

Half of them are in the shadow stage (pairs of answers are compared), half in a canary, with three
gates each, and none comes to an end. The operator is the real one, a process of its own; the API
server is the embedded one; **pods are pretended** (benchmarks/pretence.py): each has an address
where this process answers at once. Every Deployment has one server pod a version and one router.

Prints, over the measured seconds:
    reconcile-p50-ms, -p99-ms    of Deployments: observe (HTTP to pods), plan, carry out
    interval-p50-s, -p99-s, -max-s   from one measurement of a rollout to its next (wanted: 2 s)
    operator-cpu, operator-mb, operator-mb-growth     cores used, resident memory, its growth
    noticed-p50-s, -max-s        from failing requests of one of the rollouts to a route without it
RATIO lines: nobody starves, which is no interval above 10 s; a bad one is noticed within 5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from benchmarks import graphs, pretence
from pawl import constants as c
from pawl.core.routing.route import Route
from pawl.local.api.registry import Registry

DEPLOYMENTS, VERSIONS = "pawl.dev/modeldeployments", "pawl.dev/modelversions"
MAX_INTERVAL, MAX_NOTICED, TRIED = 10.0, 5.0, 10
LATENCY = {"metric": "latency_p95_ratio", "max": 1.5}
ERRORS = {"metric": "error_rate", "notWorseBy": 0.01}
CHANGE = {"metric": "prediction_psi", "max": 0.2}
ANSWERS = {"metric": "disagreement", "max": 0.1}
STAGES = (
    {"shadow": {"duration": "1h", "gates": [ANSWERS, LATENCY, ERRORS]}},
    {
        "canary": {
            "steps": [{"weight": 20, "duration": "1h"}],
            "gates": [ERRORS, LATENCY, CHANGE],
        }
    },
)


@dataclass
class Bench:
    """The objects, and when each rollout was measured."""

    registry: Registry
    node: pretence.Pretence
    uri: str
    digest: str
    count: int
    measured: dict[str, list[float]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [f"d{number}" for number in range(self.count)]

    def create(self, resource: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        meta = {"name": name, "namespace": "default"}
        item = {"apiVersion": c.API_VERSION, "kind": kind, "metadata": meta, "spec": spec}
        self.registry.create(resource, "default", item, manager="bench")

    def version(self, model: str, number: int) -> None:
        artifact = {"uri": self.uri, "digest": self.digest, "format": "onnx"}
        spec = {"model": model, "version": number, "artifact": artifact}
        self.create(VERSIONS, "ModelVersion", f"{model}-v{number}", spec)

    def deployment(self, number: int) -> None:
        spec = {
            "model": f"d{number}",
            "routing": {"replicas": 1},
            "rollout": STAGES[number % len(STAGES)],
        }
        self.create(DEPLOYMENTS, "Deployment", f"d{number}", spec)

    def status(self, name: str) -> dict[str, Any]:
        return self.registry.get(DEPLOYMENTS, "default", name).get("status") or {}

    def compared(self, name: str) -> bool:
        return bool((self.status(name).get("rollout") or {}).get("stepSamples"))

    def weight(self, name: str, version: int) -> int:
        config = self.registry.get("configmaps", "default", f"{name}-router")
        route = Route.from_json(config["metadata"]["annotations"][c.ANNOTATION_ROUTE])
        shadow = route.shadow is not None and route.shadow.version == version
        return route.weights.get(version) or int(shadow)

    async def all(self, what: str, holds: Callable[[str], bool]) -> None:
        begun = time.monotonic()
        while missing := [name for name in self.names if not holds(name)]:
            if time.monotonic() > begun + 600:
                raise SystemExit(f"{what}: not {missing[:3]}: {self.status(missing[0])}")
            await asyncio.sleep(0.2)
        print(f"{self.count} {what} after {time.monotonic() - begun:.1f} s", flush=True)

    async def watch(self) -> None:
        """Notes each measurement."""
        last: dict[str, int] = {}
        async for event in self.registry.watch(DEPLOYMENTS):
            name = event.object["metadata"]["name"]
            state = (event.object.get("status") or {}).get("rollout") or {}
            if state.get("measuredTo", 0) > last.get(name, 0):
                last[name] = state["measuredTo"]
                self.measured.setdefault(name, []).append(time.monotonic())

    async def noticed(self, name: str) -> float:
        """Seconds from failing requests to a route in which the candidate has nothing."""
        begun = time.monotonic()
        self.node.routers[name].bad = 1.0
        while self.weight(name, 2):
            await asyncio.sleep(0.01)
            if time.monotonic() > begun + 60:
                break
        return time.monotonic() - begun


@contextmanager
def operator(folder: Path) -> Iterator[psutil.Process]:
    """A real one, timed."""
    environment = {
        **os.environ,
        "KUBECONFIG": str(folder / "kubeconfig"),
        "PAWL_STORE": (folder / "store").as_uri(),
    }
    command = [sys.executable, "-m", "benchmarks.timed_operator", str(folder / "times")]
    process = subprocess.Popen(command, env=environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


@dataclass(frozen=True)
class Use:
    """Of a process at a moment."""

    wall: float
    cpu: float
    megabytes: float

    @classmethod
    def of(cls, process: psutil.Process) -> Use:
        times = process.cpu_times()
        return cls(time.monotonic(), times.user + times.system, process.memory_info().rss / 1e6)


async def measure(folder: Path, count: int, seconds: float) -> list[str]:
    model = graphs.good()
    (folder / "store").mkdir()
    path = folder / "store" / "model.onnx"  # files elsewhere may not be named
    path.write_bytes(model)
    async with pretence.cluster(folder) as (registry, node):
        bench = Bench(registry, node, path.as_uri(), pretence.digest(model), count)
        with operator(folder) as process:
            for number in range(count):
                bench.version(f"d{number}", 1)
                bench.deployment(number)
            await bench.all("served", lambda n: bench.status(n).get("phase") == "Serving")
            for name in bench.names:
                bench.version(name, 2)
            await bench.all("compared", bench.compared)
            watching = asyncio.create_task(bench.watch())
            before, since = Use.of(process), time.time()
            await asyncio.sleep(seconds)
            after, until = Use.of(process), time.time()
            watching.cancel()
            step = max(1, count // TRIED)
            noticed = [await bench.noticed(name) for name in bench.names[::step]]
        return told(folder, bench, (before, after), (since, until), noticed)


def told(
    folder: Path,
    bench: Bench,
    use: tuple[Use, Use],
    window: tuple[float, float],
    noticed: list[float],
) -> list[str]:
    """The lines of the report."""
    took = sorted(reconciles(folder / "times", *window))
    gaps = sorted(gap for times in bench.measured.values() for gap in differences(times))
    silent = sum(name not in bench.measured for name in bench.names)
    before, after = use
    cpu = (after.cpu - before.cpu) / (after.wall - before.wall)
    starved = silent + sum(gap > MAX_INTERVAL for gap in gaps)
    slowest = max(noticed)
    return [
        f"INFO reconciles-per-second {len(took) / (window[1] - window[0]):.0f}",
        f"INFO reconcile-p50-ms {quantile(took, 0.5) * 1e3:.1f}",
        f"INFO reconcile-p99-ms {quantile(took, 0.99) * 1e3:.1f}",
        f"INFO interval-p50-s {quantile(gaps, 0.5):.2f}",
        f"INFO interval-p99-s {quantile(gaps, 0.99):.2f}",
        f"INFO interval-max-s {gaps[-1]:.2f}",
        f"INFO operator-cpu {cpu:.2f}",
        f"INFO operator-mb {after.megabytes:.0f}",
        f"INFO operator-mb-growth {after.megabytes - before.megabytes:.1f}",
        f"INFO noticed-p50-s {statistics.median(noticed):.2f}",
        f"RATIO starved {starved} <=0 {'ok' if not starved else 'SHORT'}",
        f"RATIO noticed-max-s {slowest:.2f} <={MAX_NOTICED:g} "
        f"{'ok' if slowest <= MAX_NOTICED else 'SHORT'}",
    ]


def reconciles(path: Path, since: float, until: float) -> Iterator[float]:
    """Seconds of each reconcile of a Deployment in the window."""
    for line in path.read_text().splitlines():
        moment, kind, took, _ = line.split(" ")
        if kind == "Deployment" and since <= float(moment) <= until:
            yield float(took)


def differences(times: list[float]) -> Iterator[float]:
    yield from (later - sooner for sooner, later in pairwise(times))


def quantile(ordered: list[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args(arguments)
    logging.getLogger("aiohttp.server").disabled = True  # watches whose client goes in the end
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        lines = asyncio.run(measure(Path(name), options.rollouts, options.seconds))
    print("\n".join(lines))
    return 1 if any(line.endswith(" SHORT") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
