"""The router: what it adds to a request, what it carries, and what a shadow costs it.

    python -m benchmarks.router [--seconds 3] [--rounds 5]

One Envoy as Pawl configures it (one worker thread), in front of pods that answer at once and cost
little. Load, router and pods share this machine, so what the router carries is counted in requests
per second of *its own* CPU time. Latency is taken one request at a time with all of them on one
core: only one ever has something to do, and on several cores of a virtual machine it is the waking
of idle ones that is measured (INFO). Variants are measured in turn, because a
machine's speed drifts; the median of the rounds counts.

Prints a line per measurement and per target: `RATIO <name> <measured> <target> ok|SHORT`, or
`INFO <name> <measured>` where there is none. Exit code 1 when one is SHORT.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.envoys import (
    PATH,
    Bare,
    Router,
    bare_envoy,
    cpu,
    one_core,
    pod,
    prompt,
    running_router,
)
from benchmarks.serving_peers import load
from benchmarks.serving_peers.running import free_port
from pawl.core.routing.route import Backend, Route, Shadow, Sticky

MAX_ADDED_MILLISECONDS, MIN_PER_CORE, MAX_MIRRORING = 0.15, 12_000.0, 2.2
MAX_SHADOW_MEGABYTES, MAX_OVER_BARE = 20.0, 1.25
BODY = json.dumps(
    {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP64", "data": [1.2345] * 30}]}
).encode()


@dataclass
class Report:
    """What was measured, and whether it is enough."""

    lines: list[str] = field(default_factory=list)
    short: bool = False

    def target(self, name: str, measured: float, target: float, *, at_most: bool) -> None:
        ok = measured <= target if at_most else measured >= target
        self.lines.append(f"RATIO {name} {measured:.3f} {target:g} {'ok' if ok else 'SHORT'}")
        self.short = self.short or not ok

    def info(self, name: str, measured: float) -> None:
        self.lines.append(f"INFO {name} {measured:.3f}")


@dataclass(frozen=True)
class Bench:
    """The settings of one run. `pods` are the ports of version 6 (`prompt`), 7, 8, and of one that
    hangs (9). `bare` has version 7 behind it, `bare_prompt` version 6."""

    router: Router
    bare: Bare
    bare_prompt: Bare
    prompt: psutil.Process
    pods: dict[int, int]
    seconds: int
    rounds: int
    report: Report

    def route(self, weights: dict[int, int | None], **more: Any) -> Route:
        backends = tuple(
            Backend(version, "127.0.0.1", self.pods[version], weight)
            for version, weight in weights.items()
        )
        return Route("churn", backends, 600, **more)

    def through(self, name: str, route: Route, connections: int) -> tuple[load.Result, float]:
        """The load's own result, and microseconds of the router's CPU per request."""
        self.router.publish(route)
        return self._measured(name, self.router.url, self.router.process, connections)

    def bare_envoy(self, bare: Bare, connections: int) -> tuple[load.Result, float]:
        """The same of an Envoy with nothing on."""
        return self._measured("bare Envoy", bare.url, bare.process, connections)

    def _measured(
        self, name: str, url: str, process: psutil.Process, connections: int
    ) -> tuple[load.Result, float]:
        before = cpu(process)
        result = load.measure(url, BODY, connections, self.seconds)
        spent = (cpu(process) - before) / max(1.0, result.per_second * self.seconds) * 1e6
        show(name, connections, result, f"{spent:6.1f} µs of CPU each")
        return result, spent

    def direct(self, connections: int) -> load.Result:
        url = f"http://127.0.0.1:{self.pods[6]}{PATH}"
        result = load.measure(url, BODY, connections, self.seconds)
        show("direct", connections, result, "")
        return result


def show(name: str, connections: int, result: load.Result, more: str) -> None:
    print(
        f"{name:22} {connections:3} conn {result.per_second:8.0f} req/s  p50 {result.p50:7.3f} ms "
        f" p99 {result.p99:7.3f} ms  {result.failures} failures  {more}",
        flush=True,
    )


def added_latency(bench: Bench) -> None:
    """The median with the router less the median without, one request at a time."""
    with one_core(bench.router.process, bench.bare_prompt.process, bench.prompt):
        ours, bares = _added(bench)
    bench.report.target("added-milliseconds", ours, MAX_ADDED_MILLISECONDS, at_most=True)
    bench.report.info("added-milliseconds-bare-envoy", bares)
    ours, bares = _added(bench)
    bench.report.info("added-milliseconds-all-cores", ours)
    bench.report.info("added-milliseconds-bare-envoy-all-cores", bares)


def _added(bench: Bench) -> tuple[float, float]:
    """Of the router, and of an Envoy with nothing on."""
    ours, bares = [], []
    for _ in range(bench.rounds):
        through, _ = bench.through("router", bench.route({6: 100}), 1)
        bare, _ = bench.bare_envoy(bench.bare_prompt, 1)
        direct = bench.direct(1)
        ours.append(through.p50 - direct.p50)
        bares.append(bare.p50 - direct.p50)
    return statistics.median(ours), statistics.median(bares)


def per_core(bench: Bench) -> None:
    """Requests per second of CPU: one version, a canary with sticky users, and mirroring."""
    variants = {
        "one version": bench.route({7: 100}),
        "sticky canary": bench.route({7: 50, 8: 50}, sticky=Sticky("user-agent", "churn-v8.1")),
        "shadow of all": bench.route({7: 100, 8: None}, shadow=Shadow(8, 100)),
    }
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(bench.rounds):
        for name, route in variants.items():
            spent[name].append(bench.through(name, route, 32)[1])
    plain = statistics.median(spent["one version"])
    bench.report.target("requests-per-core", 1e6 / plain, MIN_PER_CORE, at_most=False)
    sticky = statistics.median(spent["sticky canary"])
    bench.report.target("requests-per-core-sticky", 1e6 / sticky, MIN_PER_CORE, at_most=False)
    pairs = zip(spent["shadow of all"], spent["one version"], strict=True)
    ratio = statistics.median(mirrored / alone for mirrored, alone in pairs)
    bench.report.target("mirroring-cpu", ratio, MAX_MIRRORING, at_most=True)


def over_bare(bench: Bench) -> None:
    """CPU against an Envoy with nothing but one route to one cluster: what this machine costs."""
    ours, bares = [], []
    for _ in range(bench.rounds):
        ours.append(bench.through("router", bench.route({7: 100}), 32)[1])
        bares.append(bench.bare_envoy(bench.bare, 32)[1])
    ratios = (our / bare for our, bare in zip(ours, bares, strict=True))
    bench.report.info("requests-per-core-bare-envoy", 1e6 / statistics.median(bares))
    over = statistics.median(ratios)
    bench.report.target("cpu-over-bare-envoy", over, MAX_OVER_BARE, at_most=True)


def hanging_shadow(bench: Bench) -> None:
    """A shadow that takes requests and never answers: failures, memory, and the users' wait."""
    plain = bench.route({7: 100, 9: None})
    alone, _ = bench.through("before", plain, 32)
    megabytes = bench.router.megabytes
    with_shadow = bench.route({7: 100, 9: None}, shadow=Shadow(9, 100))
    ratios, failures = [], 0
    for _ in range(bench.rounds):
        hanging, _ = bench.through("hanging shadow", with_shadow, 32)
        grown = bench.router.megabytes - megabytes
        failures += hanging.failures
        alone, _ = bench.through("without", plain, 32)
        ratios.append(hanging.p50 / alone.p50)
    bench.report.target("hanging-shadow-failed", failures, 0, at_most=True)
    bench.report.target("hanging-shadow-mb", grown, MAX_SHADOW_MEGABYTES, at_most=True)
    bench.report.info("hanging-shadow-p50-ratio", statistics.median(ratios))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    pods = {version: free_port() for version in (6, 7, 8, 9)}
    report = Report()
    print(f"load by {load.generator()}", flush=True)
    with ExitStack() as stack:
        prompt_pod = stack.enter_context(prompt(pods[6]))
        for version in (7, 8, 9):
            stack.enter_context(pod(pods[version], hangs=version == 9))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        first = Route("churn", (Backend(7, "127.0.0.1", pods[7], 100),))
        router = stack.enter_context(running_router(folder, first))
        bare = stack.enter_context(bare_envoy(free_port(), pods[7]))
        bare_prompt = stack.enter_context(bare_envoy(free_port(), pods[6]))
        bench = Bench(
            router, bare, bare_prompt, prompt_pod, pods, options.seconds, options.rounds, report
        )
        bench.through("warm-up", first, 8)
        added_latency(bench)
        over_bare(bench)
        per_core(bench)
        hanging_shadow(bench)
    print("\n".join(report.lines))
    return 1 if report.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
