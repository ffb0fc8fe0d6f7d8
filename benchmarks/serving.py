"""Serving, side by side: Pawl's server, a bare handler, and its peers, on this machine, in one run.

    python benchmarks/serving.py [--seconds 3] [--rounds 3] [--peers mlserver,kserve,…|none]

The row has 30 floats (breast cancer). "gb": scaling and gradient boosting; Pawl and the bare
handler run it in onnxruntime, the peers in scikit-learn. "lr": scaling and logistic regression;
scikit-learn on both sides. Every server is one process, and each must first give the right
probability. Pawl and the bare handler run in turn, and the median of the rounds' ratios counts.

Prints a table and one line per target: `RATIO <name> <measured> <target> ok|SHORT` (more is
better), `LIMIT …` (less is better), or `INFO <name> <measured>` where there is no target. Exit code
1 when one is SHORT or a peer could not be run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from serving_peers import bundles, load, model, targets
from serving_peers.load import Result
from serving_peers.running import Running, free_port, running
from serving_peers.targets import Row, Target
from serving_peers.venvs import PeerError

CONNECTIONS = (1, 32)
OVER_BARE, OVER_PEERS, LIKE_FOR_LIKE = 0.7, 25.0, 2.0
MAX_START_SECONDS, MAX_RESIDENT_MB = 1.5, 120.0
WARM_UP_SECONDS = 1.0


@dataclass
class Report:
    """What was measured, and whether it is enough."""

    rows: list[tuple[str, str, int, Result]] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    short: bool = False

    def add(self, name: str, kind: str, connections: int, result: Result) -> None:
        self.rows.append((name, kind, connections, result))
        print(
            f"{name:14} {kind:3} {connections:3} conn {result.per_second:9.0f} req/s  "
            f"p50 {result.p50:7.2f} ms  p99 {result.p99:7.2f} ms  {result.failures} failures",
            flush=True,
        )

    def best(self, name: str, kind: str, connections: int) -> float:
        """The median of a server's rounds in requests per second."""
        found = [
            result.per_second
            for a, b, c, result in self.rows
            if (a, b, c) == (name, kind, connections)
        ]
        return statistics.median(found) if found else 0.0

    def ratio(self, name: str, measured: float, target: float | None) -> None:
        if target is None:
            self.verdicts.append(f"INFO {name} {measured:.2f}")
        else:
            self._verdict("RATIO", name, measured, target, measured >= target)

    def limit(self, name: str, measured: float, target: float) -> None:
        self._verdict("LIMIT", name, measured, target, measured <= target)

    def failed(self, name: str, error: Exception) -> None:
        self.verdicts.append(f"FAILED {name} {error}")
        self.short = True
        print(f"{name}: FAILED: {error}", flush=True)

    def _verdict(self, word: str, name: str, measured: float, target: float, ok: bool) -> None:
        self.verdicts.append(f"{word} {name} {measured:.2f} {target:g} {'ok' if ok else 'SHORT'}")
        self.short = self.short or not ok


@dataclass(frozen=True)
class Bench:
    """The settings of one run."""

    folder: Path
    seconds: float
    rounds: int
    row: Row
    expected: dict[str, float]
    report: Report

    def log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.log"

    def rate(self, server: Running, target: Target, connections: int) -> Result:
        return load.measure(server.url, target.body, connections, self.seconds)


def against_bare(bench: Bench, env: dict[str, str], onnx: Path) -> None:
    """Pawl and the bare handler in turn, gradient boosting in onnxruntime on both sides."""
    report = bench.report
    ports = free_port(), free_port()
    ours = targets.pawl(env, ports[0], bench.row)
    theirs = targets.bare(onnx, ports[1], bench.row)
    expected = bench.expected["gb"]
    with (
        running(ours, ports[0], expected, bench.log("pawl-gb")) as pawl,
        running(theirs, ports[1], expected, bench.log("bare")) as bare,
    ):
        for server, target in ((pawl, ours), (bare, theirs)):
            load.measure(server.url, target.body, 32, WARM_UP_SECONDS)
        for connections in CONNECTIONS:
            ratios = []
            for _ in range(bench.rounds):
                first = bench.rate(bare, theirs, connections)
                second = bench.rate(pawl, ours, connections)
                report.add("bare uvicorn", "gb", connections, first)
                report.add("pawl", "gb", connections, second)
                ratios.append(second.per_second / first.per_second)
            report.ratio(f"pawl/bare@{connections}", statistics.median(ratios), OVER_BARE)
        report.limit("pawl-resident-mb", pawl.resident_mb(), MAX_RESIDENT_MB)


def starts(bench: Bench, env: dict[str, str]) -> None:
    """From spawn to the first right answer."""
    found = []
    for _ in range(bench.rounds):
        port = free_port()
        target = targets.pawl(env, port, bench.row)
        with running(target, port, bench.expected["gb"], bench.log("pawl-start")) as server:
            found.append(server.start)
    bench.report.limit("pawl-start-seconds", statistics.median(found), MAX_START_SECONDS)


def alone(bench: Bench, target: Target, kind: str, port: int, expected: float) -> None:
    """One server at each number of connections."""
    with running(target, port, expected, bench.log(f"{target.name}-{kind}")) as server:
        load.measure(server.url, target.body, 4, WARM_UP_SECONDS)
        for connections in CONNECTIONS:
            bench.report.add(
                target.name, kind, connections, bench.rate(server, target, connections)
            )
        print(
            f"{target.name:14} {kind:3} start {server.start:.1f} s, {server.resident_mb():.0f} MB",
            flush=True,
        )


def peers(bench: Bench, names: list[str]) -> list[str]:
    """Every peer with both models; gives the names under which they are reported."""
    shown = []
    for name in names:
        for kind in model.KINDS:
            port = free_port()
            try:
                target, expected = targets.peer(name, kind, bench.folder, port, bench.row)
                alone(bench, target, kind, port, expected)
                shown.append(target.name)
            except (PeerError, OSError, RuntimeError) as error:
                bench.report.failed(f"{name}-{kind}", error)
    return sorted(set(shown))


def compare(report: Report, names: list[str]) -> None:
    """Pawl over its peers. With gradient boosting the target is for 32 connections; with one, the
    round trip bounds every server, and the ratio is for information."""
    for connections in CONNECTIONS:
        ours = report.best("pawl", "gb", connections)
        for name in names:
            theirs = report.best(name, "gb", connections)
            if theirs:
                target = OVER_PEERS if connections == max(CONNECTIONS) else None
                report.ratio(f"pawl/{name}-gb@{connections}", ours / theirs, target)
        best = max((report.best(name, "lr", connections) for name in names), default=0.0)
        if best:
            ours = report.best("pawl", "lr", connections)
            report.ratio(f"pawl/best-lr@{connections}", ours / best, LIKE_FOR_LIKE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of Pawl and the bare handler")
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
        against_bare(bench, env["gb"], onnx)
        port = free_port()
        alone(bench, targets.pawl(env["lr"], port, row), "lr", port, expected["lr"])
        compare(report, peers(bench, names))
    print("\n".join(["", *report.verdicts]))
    return int(report.short)


if __name__ == "__main__":
    sys.exit(main())
