"""From a bad metric to no traffic: how long a candidate that goes wrong still gets requests.

    python -m benchmarks.rollback [--rounds 5] [--rate 300]

An embedded cluster with the operator as users run it: Envoy routers, server pods, the default
interval. A candidate has 20 % of the requests and answers well; then its inputs change, so that it
fails some of them (the stable version never does), or its pods freeze. The load generator counts
every request. Seconds are from the first bad request that is sent until the last request that the
candidate gets; lost are the requests without an answer.

    everything   it fails every request                target: at most 5 s
    half         it fails every second request         target: at most 5 s
    tenth        it fails one in ten; margin 0.01, confidence 0.99: that takes evidence
    frozen       its pods take requests and never answer; requests time out after 3 s
    killed       its processes are killed, once: nothing answers until its pods are back

Everything is real but for the node: pods are processes of this machine, which carries the load too.
Prints `RATIO <name> <worst of the rounds> <target> ok|SHORT`, and `INFO` where there is no target.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import psutil

from benchmarks import graphs
from benchmarks.pawl_local import local, made
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, SERVICES
from pawl.control.kube import Kube

MODEL, CONNECTIONS = "bench", 12
MAX_SECONDS = 5.0
#: Which of ten requests are bad, by kind of trouble.
TROUBLE = {"everything": 10, "half": 5, "tenth": 1, "frozen": 0, "killed": 0}
JUDGED = ("everything", "half")
SIGNALS = {"frozen": signal.SIGSTOP, "killed": signal.SIGKILL}
ROLLOUT = {
    "canary": {
        "steps": [{"weight": 20, "duration": "1h"}],
        "gates": [{"metric": "error_rate", "notWorseBy": 0.01}],
    }
}
SPEC = {"model": MODEL, "replicas": 2, "routing": {"timeoutSeconds": 3}, "rollout": ROLLOUT}


class Request(NamedTuple):
    """`version` is empty when there was no answer."""

    sent: float
    version: str


@dataclass
class Load:
    """`rate` requests a second over some connections; `bad` of ten have the bad input."""

    url: str
    rate: float
    bad: int = 0
    requests: list[Request] = field(default_factory=list)
    stop: bool = False

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._connection(session, n) for n in range(CONNECTIONS)))

    async def _connection(self, session: aiohttp.ClientSession, number: int) -> None:
        pause = CONNECTIONS / self.rate
        while not self.stop:
            begun = time.monotonic()
            number += 1
            x = graphs.LARGE if number % 10 < self.bad else graphs.SMALL
            version = ""
            try:
                async with session.post(self.url, json=graphs.body(x)) as answer:
                    if answer.status == 200:
                        version = (await answer.json())["model_version"]
            except (aiohttp.ClientError, TimeoutError):
                pass
            self.requests.append(Request(begun, version))
            await asyncio.sleep(max(0.0, begun + pause - time.monotonic()))


@dataclass
class Bench:
    """One cluster; every round has a candidate of its own."""

    kube: Kube
    folder: Path
    rate: float
    number: int = 1
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def version(self, content: bytes) -> str:
        """Imports a model as the next version."""
        name = f"{MODEL}-v{self.number}"
        path = self.folder / f"{name}.onnx"
        path.write_bytes(content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        artifact = {"uri": path.as_uri(), "digest": digest, "format": "onnx"}
        spec = {"model": MODEL, "version": self.number, "artifact": artifact}
        await self.kube.create(MODEL_VERSIONS, made("ModelVersion", name, spec))
        self.number += 1
        return name

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status of the Deployment as soon as it holds."""
        deadline = time.monotonic() + 180
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            item = await self.kube.get(DEPLOYMENTS, "default", MODEL)
            status = (item or {}).get("status", {})
            if holds(status):
                return status
            await asyncio.sleep(0.05)
        raise SystemExit(f"waited in vain: {status}")

    async def round(self, kind: str) -> tuple[float, int]:
        """(seconds, requests lost) of one candidate."""
        name = await self.version(graphs.fails_above())
        number = str(self.number - 1)
        async with self.load() as load:
            await self.until(lambda s: measured(s, name))
            await asyncio.sleep(self.chance.uniform(0, 2))  # at any moment between two looks
            begun = time.monotonic()
            load.bad = TROUBLE[kind]
            if kind in SIGNALS:
                signal_all(number, SIGNALS[kind])
            await self.until(lambda s: s.get("phase") == "Serving" and not s.get("rollout"))
            await asyncio.sleep(1.0)  # users go on
        trouble = [r for r in load.requests if r.sent >= begun]
        last = max((r.sent for r in trouble if r.version in ("", number)), default=begun)
        return last - begun, sum(not r.version for r in trouble)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Load]:
        service = await self.kube.get(SERVICES, "default", MODEL)
        assert service is not None
        url = f"http://{service['spec']['clusterIP']}:8080/v2/models/{MODEL}/infer"
        load = Load(url, self.rate)
        task = asyncio.create_task(load.run())
        try:
            yield load
        finally:
            load.stop = True
            await task


def measured(status: dict[str, Any], candidate: str) -> bool:
    """The candidate is under way and has shown some seconds of good answers."""
    state = status.get("rollout") or {}
    return state.get("candidate") == candidate and state.get("stepSamples", 0) >= 100


def signal_all(version: str, number: signal.Signals) -> None:
    """To all server processes of a version of this benchmark."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if (environment.get("PAWL_MODEL"), environment.get("PAWL_MODEL_VERSION")) == (
            MODEL,
            version,
        ):
            os.kill(process.pid, number)


async def measure(folder: Path, kubeconfig: Path, rounds: int, rate: float) -> bool:
    """Whether all targets are met."""
    kube = await Kube.connect(str(kubeconfig))
    bench = Bench(kube, folder, rate)
    lines, fine = [], True
    try:
        await bench.version(graphs.good())
        await kube.create(DEPLOYMENTS, made("Deployment", MODEL, SPEC))
        await bench.until(lambda s: s.get("phase") == "Serving")
        for kind in TROUBLE:
            results = []
            for _ in range(rounds):
                seconds, lost = await bench.round(kind)
                results.append((seconds, lost))
                print(f"{kind:11} {seconds:6.2f} s  {lost:5} requests lost", flush=True)
            worst = max(seconds for seconds, _ in results)
            middle = statistics.median(seconds for seconds, _ in results)
            lost = round(statistics.median(count for _, count in results))
            if kind in JUDGED:
                ok = worst <= MAX_SECONDS
                fine = fine and ok
                verdict = "ok" if ok else "SHORT"
                lines.append(f"RATIO {kind}-seconds {worst:.2f} <={MAX_SECONDS:g} {verdict}")
            else:
                lines.append(f"INFO {kind}-seconds {worst:.2f}")
            lines.append(f"INFO {kind}-median-seconds {middle:.2f}")
            lines.append(f"INFO {kind}-median-lost-requests {lost}")
    finally:
        await kube.close()
    print("\n".join(lines))
    return fine


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=300.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        folder = Path(name)
        kubeconfig = folder / "k"
        local("up", "--detach", "--data-dir", str(folder / "d"), kubeconfig=kubeconfig)
        try:
            fine = asyncio.run(measure(folder, kubeconfig, options.rounds, options.rate))
        finally:
            local("down", kubeconfig=kubeconfig)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
