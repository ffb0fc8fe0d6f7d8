"""Whether the operator's memory comes back: objects are created, changed, deleted, in rounds.

    python -m benchmarks.memory [--deployments 1000] [--versions 10] [--rounds 4]

A round makes `--deployments` Deployments, 50 in a namespace, each with a model of its own of
`--versions` ModelVersions, all of which are read and verified; waits until every Deployment serves
its newest; changes the spec of every Deployment and the labels of every version; waits until that
has been seen; deletes everything, and waits until nothing is left of it, children included, and the
operator is at rest. Then its resident memory is read, and its metrics.

The operator is the real one, a process of its own; API server, controllers and pretended pods are
those of benchmarks/pretence.py. The first two rounds warm it up: arenas, caches of a fixed size.

RATIO lines: resident memory after the last round is at most 1.1 times that after the second; no
metric series names a deleted object.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks import graphs, pretence
from benchmarks.decisions import Report
from benchmarks.scale import Operator, operator
from benchmarks.serving_peers.running import free_port
from pawl import constants as c
from pawl.local.api.registry import Registry

DEPLOYMENTS, VERSIONS = "pawl.dev/modeldeployments", "pawl.dev/modelversions"
CHILDREN = ("pods", "configmaps", "services", "apps/deployments", "apps/replicasets")
MANAGER = "bench"
#: Deployments in a namespace: controllers of apps/v1 look at all pods of one.
TOGETHER = 50
WARM, MOST_GROWTH, LIMIT = 2, 1.1, 3600.0
#: Objects are made in heaps, so that the operator's watches are read in between.
HEAP = 50


@dataclass(frozen=True)
class Bench:
    registry: Registry
    metrics: str  # address of the operator's
    uri: str
    digest: str
    count: int
    versions: int

    async def round(self) -> None:
        for number in range(self.count):
            model, namespace = f"memory-{number}", f"team-{number // TOGETHER}"
            for version in range(self.versions, 0, -1):  # so each has one stage, not two
                artifact = {"uri": self.uri, "digest": self.digest, "format": "onnx"}
                spec = {"model": model, "version": version, "artifact": artifact}
                self._create(VERSIONS, "ModelVersion", namespace, f"{model}-v{version}", spec)
            newest = f"{model}-v{self.versions}"
            spec = {"model": model, "routing": {"replicas": 1}, "version": newest}
            self._create(DEPLOYMENTS, "Deployment", namespace, model, spec)
            await self._breathe(number)
        await self._until("served", lambda: not self._unserved())
        assert len(await series(self.metrics)) > self.count, "no series of what there is"
        for number, item in enumerate(self.registry.list(DEPLOYMENTS)):
            self._patch(DEPLOYMENTS, item, {"spec": {"routing": {"timeoutSeconds": 31}}})
            await self._breathe(number)
        for number, item in enumerate(self.registry.list(VERSIONS)):
            self._patch(VERSIONS, item, {"metadata": {"labels": {"changed": "true"}}})
            await self._breathe(number)
        await self._until("changed", lambda: not self._unserved() and not self._unseen())
        for resource in (DEPLOYMENTS, VERSIONS):
            for number, item in enumerate(self.registry.list(resource)):
                self.registry.delete(resource, *place(item), manager=MANAGER)
                await self._breathe(number)
        await self._until("gone", lambda: not self._left())

    def _create(
        self, resource: str, kind: str, namespace: str, name: str, spec: dict[str, Any]
    ) -> None:
        meta = {"name": name, "namespace": namespace}
        item = {"apiVersion": c.API_VERSION, "kind": kind, "metadata": meta, "spec": spec}
        self.registry.create(resource, namespace, item, manager=MANAGER)

    def _patch(self, resource: str, item: dict[str, Any], patch: dict[str, Any]) -> None:
        self.registry.patch(resource, *place(item), patch, kind="merge", manager=MANAGER)

    def _unserved(self) -> bool:
        newest = f"-v{self.versions}"
        return any(
            not str(((item.get("status") or {}).get("stable") or {}).get("name")).endswith(newest)
            for item in self.registry.list(DEPLOYMENTS)
        )

    def _unseen(self) -> bool:
        return any(
            item["status"].get("observedGeneration") != item["metadata"]["generation"]
            for item in self.registry.list(DEPLOYMENTS)
        )

    def _left(self) -> bool:
        """Whether there is anything of Pawl's; Secrets are left out, which nobody may list."""
        managed = f"{c.LABEL_MANAGED_BY}=pawl"
        return bool(self.registry.list(VERSIONS) or self.registry.list(DEPLOYMENTS)) or any(
            self.registry.list(resource, labels=managed) for resource in CHILDREN
        )

    @staticmethod
    async def _breathe(number: int) -> None:
        if number % HEAP == HEAP - 1:
            await asyncio.sleep(0.05)

    @staticmethod
    async def _until(what: str, holds: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while not holds():
            if time.monotonic() > begun + LIMIT:
                raise SystemExit(f"not all {what} after {LIMIT:g} s")
            await asyncio.sleep(1)
        print(f"  {time.strftime('%X')} {what} after {time.monotonic() - begun:.0f} s", flush=True)


def place(item: dict[str, Any]) -> tuple[str, str]:
    """Namespace and name."""
    return item["metadata"]["namespace"], item["metadata"]["name"]


def namespaces(registry: Registry, count: int) -> None:
    """Those of `count` Deployments."""
    for number in range(-(-count // TOGETHER)):
        meta = {"name": f"team-{number}"}
        item = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        registry.create("namespaces", None, item, manager=MANAGER)


async def series(address: str) -> list[str]:
    """Lines of the operator's metrics that name an object or its namespace."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        text = (await client.get(f"http://{address}/metrics")).text
    return [
        line for line in text.splitlines() if line[0] != "#" and re.search("(memory|team)-", line)
    ]


async def measure(folder: Path, options: argparse.Namespace, report: Report) -> None:
    address = f"127.0.0.1:{free_port()}"
    os.environ["PAWL_METRICS_ADDRESS"] = address
    async with pretence.cluster(folder) as (registry, _):
        namespaces(registry, options.deployments)
        with operator(folder, folder / "kubeconfig", None) as running:
            path = folder / "store" / "model.onnx"  # files elsewhere may not be named
            path.write_bytes(graphs.good())
            bench = Bench(
                registry, address, path.as_uri(), pretence.digest(path.read_bytes()),
                options.deployments, options.versions,
            )  # fmt: skip
            sizes = [await one(bench, running) for _ in range(options.rounds)]
            named = await series(address)
    report.info("operator-mb-plateau", sizes[WARM - 1])
    report.at_most("memory-growth", sizes[-1] / sizes[WARM - 1], MOST_GROWTH)
    report.at_most("series-of-deleted-objects", len(named), 0)


async def one(bench: Bench, running: Operator) -> float:
    """MB after a round."""
    await bench.round()
    await running.rest()
    size = float(running.process.memory_info().rss) / 1e6
    print(f"INFO operator-mb {size:.1f}", flush=True)
    return size


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args(arguments)
    gc.set_threshold(50_000, 20, 50)  # of this process: all that the API server holds stays
    logging.getLogger("aiohttp.server").disabled = True  # watches whose client goes in the end
    report = Report()
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        asyncio.run(measure(Path(name), options, report))
    print("\n".join(report.verdicts))
    return 1 if report.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
