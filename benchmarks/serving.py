"""Serving, side by side: Pawl's server, a bare handler, and its peers, on this machine, in one run.

    python -m benchmarks.serving [--seconds 2] [--rounds 3] [--peers mlserver,kserve,…|none]

The row has 30 floats (breast cancer). "gb": scaling and gradient boosting; Pawl and the bare
handler run it in onnxruntime, the peers in scikit-learn. "lr": scaling and logistic regression;
scikit-learn on both sides. Every server is one process, and each must first give the right
probability. Pawl runs in turn with each of the others, because a machine's speed drifts, and the
median of the rounds' ratios counts.

Prints a table and one line per target: `RATIO <name> <measured> <target> ok|SHORT` (at least the
target; for `start-seconds` and `resident-mb` at most), or `INFO <name> <measured>` where there is
none. Exit code 1 when one is SHORT or a peer could not be run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import SubprocessError

from benchmarks.serving_peers import bundles, load, model, targets
from benchmarks.serving_peers.load import Result
from benchmarks.serving_peers.running import Running, free_port, running
from benchmarks.serving_peers.targets import Row, Target
from benchmarks.serving_peers.venvs import PeerError

CONNECTIONS = (1, 32)
OVER_BARE, OVER_PEERS, LIKE_FOR_LIKE = 0.7, 25.0, 2.0
WITH_MONITOR = 0.9
MAX_START_SECONDS, MAX_RESIDENT_MB = 1.5, 120.0
WARM_UP_SECONDS = 1


@dataclass
class Report:
    """What was measured, and whether it is enough."""

    verdicts: list[str] = field(default_factory=list)
    short: bool = False

    def show(self, name: str, kind: str, connections: int, result: Result) -> None:
        print(
            f"{name:14} {kind:3} {connections:3} conn {result.per_second:9.0f} req/s  "
            f"p50 {result.p50:7.2f} ms  p99 {result.p99:7.2f} ms  {result.failures} failures",
            flush=True,
        )

    def at_least(self, name: str, measured: float, target: float) -> None:
        self._verdict(name, measured, target, measured >= target)

    def at_most(self, name: str, measured: float, target: float) -> None:
        self._verdict(name, measured, target, measured <= target)

    def info(self, name: str, measured: float) -> None:
        self.verdicts.append(f"INFO {name} {measured:.2f}")

    def failed(self, name: str, error: Exception) -> None:
        self.verdicts.append(f"FAILED {name} {error}")
        self.short = True
        print(f"{name}: FAILED: {error}", flush=True)

    def _verdict(self, name: str, measured: float, target: float, ok: bool) -> None:
        self.verdicts.append(f"RATIO {name} {measured:.2f} {target:g} {'ok' if ok else 'SHORT'}")
        self.short = self.short or not ok


@dataclass(frozen=True)
class Server:
    """A running server and what it is asked."""

    target: Target
    running: Running


@dataclass(frozen=True)
class Bench:
    """The settings of one run."""

    folder: Path
    seconds: int
    rounds: int
    row: Row
    expected: dict[str, float]
    report: Report

    def start(
        self, stack: ExitStack, target: Target, kind: str, port: int, expected: float
    ) -> Server:
        """A server that has given the right answer and is warm; ends with the stack."""
        log = self.folder / f"{target.name.replace(' ', '-')}-{kind}.log"
        server = Server(target, stack.enter_context(running(target, port, expected, log)))
        load.measure(server.running.url, target.body, 4, WARM_UP_SECONDS)
        return server

    def ratio(
        self, ours: Server, theirs: Server, kind: str, connections: int, *, routed: bool = False
    ) -> float:
        """Ours over theirs in requests per second, the median of the rounds."""
        return statistics.median(
            self._round(ours, theirs, kind, connections, routed) for _ in range(self.rounds)
        )

    def _round(
        self, ours: Server, theirs: Server, kind: str, connections: int, routed: bool
    ) -> float:
        """The two in turn, because a machine's speed drifts."""
        rates = []
        for server in (ours, theirs):
            result = load.measure(
                server.running.url,
                server.target.body,
                connections,
                self.seconds,
                routed=routed,
            )
            self.report.show(server.target.name, kind, connections, result)
            rates.append(result.per_second)
        return rates[0] / rates[1] if rates[1] else float("inf")


def starts(bench: Bench, env: dict[str, str]) -> None:
    """From spawn to the first right answer."""
    found = []
    for _ in range(bench.rounds):
        port = free_port()
        target = targets.pawl(env, port, bench.row)
        log = bench.folder / "start.log"
        with running(target, port, bench.expected["gb"], log) as server:
            found.append(server.start)
    bench.report.at_most("pawl-start-seconds", statistics.median(found), MAX_START_SECONDS)


def against_bare(bench: Bench, pawl: Server, onnx: Path) -> None:
    """The same graph in onnxruntime on both sides."""
    port = free_port()
    with ExitStack() as stack:
        bare = bench.start(
            stack, targets.bare(onnx, port, bench.row), "gb", port, bench.expected["gb"]
        )
        for connections in CONNECTIONS:
            ratio = bench.ratio(pawl, bare, "gb", connections)
            bench.report.at_least(f"pawl/bare@{connections}", ratio, OVER_BARE)
    bench.report.at_most("pawl-resident-mb", pawl.running.resident_mb(), MAX_RESIDENT_MB)


def with_monitor(bench: Bench, pawl: Server, env: dict[str, str]) -> None:
    """What the monitor, and feedback tokens on top of it, leave of the throughput."""
    kinds = {"monitor": {}, "tokens": {"PAWL_FEEDBACK_KEY": b64encode(b"k" * 32).decode()}}
    for name, more in kinds.items():
        port = free_port()
        watched = {**env, "PAWL_MONITOR_PORT": str(free_port()), **more}
        target = replace(targets.pawl(watched, port, bench.row), name=f"pawl {name}")
        with ExitStack() as stack:
            server = bench.start(stack, target, "gb", port, bench.expected["gb"])
            ratio = bench.ratio(server, pawl, "gb", 32, routed=True)
            if name == "monitor":
                bench.report.at_least("pawl-monitor/off@32", ratio, WITH_MONITOR)
            else:
                bench.report.info("pawl-monitor-and-tokens/off@32", ratio)
            megabytes = server.running.resident_mb()
            bench.report.at_most(f"pawl-{name}-resident-mb", megabytes, MAX_RESIDENT_MB)


def against_peer(bench: Bench, ours: Server, name: str, kind: str) -> dict[int, float]:
    """Ratios by connections."""
    port = free_port()
    target, expected = targets.peer(name, kind, bench.folder, port, bench.row)
    with ExitStack() as stack:
        peer = bench.start(stack, target, kind, port, expected)
        ratios = {
            connections: bench.ratio(ours, peer, kind, connections) for connections in CONNECTIONS
        }
        memory = peer.running.resident_mb()
        print(f"{target.name:14} {kind:3} start {peer.running.start:.1f} s, {memory:.0f} MB")
    return ratios


def against_peers(bench: Bench, pawl: dict[str, Server], names: list[str]) -> None:
    """With gradient boosting the target is for 32 connections; with one, the round trip bounds
    every server, and the ratio is for information. Like for like, the best peer counts."""
    report = bench.report
    alike: dict[int, list[float]] = {connections: [] for connections in CONNECTIONS}
    for name in names:
        for kind in model.KINDS:
            try:
                ratios = against_peer(bench, pawl[kind], name, kind)
            except (PeerError, OSError, RuntimeError, SubprocessError) as error:
                report.failed(f"{name}-{kind}", error)
                continue
            if kind == "gb":
                report.info(f"pawl/{name}-gb@1", ratios[1])
                report.at_least(f"pawl/{name}-gb@32", ratios[32], OVER_PEERS)
            else:
                for connections, ratio in ratios.items():
                    alike[connections].append(ratio)
    for connections, found in alike.items():
        if found:
            report.at_least(f"pawl/best-lr@{connections}", min(found), LIKE_FOR_LIKE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=2, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of Pawl and each other server")
    parser.add_argument("--peers", default=",".join(targets.PEERS), help="comma-separated, or none")
    options = parser.parse_args()
    names = [] if options.peers == "none" else options.peers.split(",")
    report = Report()
    print(f"load by {load.generator()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        folder = Path(name)
        features, _ = model.rows()
        expected = {
            kind: float(model.pipeline(kind).predict_proba(features[:1])[0, 1])
            for kind in model.KINDS
        }
        row = features[0].tolist()
        bench = Bench(folder, options.seconds, options.rounds, row, expected, report)
        onnx = folder / "model.onnx"
        onnx.write_bytes(bundles.onnx_graph())
        env = {kind: bundles.write(folder / "store", kind) for kind in model.KINDS}
        starts(bench, env["gb"])
        with ExitStack() as stack:
            pawl = {}
            for kind in model.KINDS:
                port = free_port()
                target = targets.pawl(env[kind], port, row)
                pawl[kind] = bench.start(stack, target, kind, port, expected[kind])
            against_bare(bench, pawl["gb"], onnx)
            with_monitor(bench, pawl["gb"], env["gb"])
            against_peers(bench, pawl, names)
    print("\n".join(["", *report.verdicts]))
    return int(report.short)


if __name__ == "__main__":
    sys.exit(main())
