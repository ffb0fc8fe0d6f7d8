"""How good the decisions of a rollout are, by simulation: six gates, confidence 0.99, looked at
every 5 seconds at 100 requests a second (benchmarks/rollouts/world.py says what happens there).

    python -m benchmarks.decisions [--rollouts 2000]

A row is one kind of candidate. "same": identical versions. "worse": the error rate is higher by one
point (1 % → 2 %), which is just what the gate's margin of 0.01 must not let through. Base rates
are 1 %, or move from 0.5 % to 2 % during the rollout; "sticky" has 20 correlated requests per user.
Within 20,000 canary requests: same is rolled back ≤ 1 % and promoted ≥ 98 %, worse is promoted
≤ 1 % and stopped ≥ 98 %, after a median of at most 1.0 and a 95th percentile of at most 2.2 times
what a fixed-sample z-test needs that knows the effect beforehand (benchmarks/rollouts/oracle.py).
Beside them what the rules of other tools do with the same errors.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from benchmarks.rollouts import oracle, peers
from benchmarks.rollouts.gates import CONFIDENCE, ERROR_MARGIN, GATES, Outcome, simulate
from benchmarks.rollouts.twin import Floats
from benchmarks.rollouts.world import (
    ALWAYS_5,
    ALWAYS_50,
    STEPS,
    World,
    constant,
    jumping,
    moving,
)
from pawl.stats.sequential.planning import expected_requests

SEED = 20
WORSE = 0.01
MOST_WRONG, LEAST_RIGHT = 0.01, 0.98
MOST_MEDIAN, MOST_P95 = 1.0, 2.2

WORLDS = {
    "same": World(STEPS, constant, 0.0),
    "same-moving": World(STEPS, moving, 0.0),
    "same-jumping": World(STEPS, jumping, 0.0),
    "same-sticky": World(STEPS, constant, 0.0, sticky=True),
    "worse": World(STEPS, constant, WORSE),
    "worse-5-percent": World(ALWAYS_5, constant, WORSE),
    "worse-50-percent": World(ALWAYS_50, constant, WORSE),
    "worse-moving": World(STEPS, moving, WORSE),
    "worse-sticky": World(STEPS, constant, WORSE, sticky=True),
}
#: where the targets for the number of requests hold: the oracle knows one rate
TIMED = ("worse", "worse-5-percent", "worse-50-percent")
WITH_PEERS = ("same", "same-moving", "worse", "worse-moving")


@dataclass
class Report:
    """Prints rows, and keeps the lines for the end."""

    verdicts: list[str] = field(default_factory=list)
    short: bool = False

    def row(self, world: str, rule: str, stopped: Floats, promoted: float) -> None:
        down = np.isfinite(stopped).mean()
        times = [f"{q:7,.0f}" if math.isfinite(q) else "      –" for q in quantiles(stopped)]
        print(
            f"{world:17} {rule:14} {down:12.2%} {promoted:10.2%}  {times[0]} {times[1]}", flush=True
        )

    def at_most(self, name: str, measured: float, target: float) -> None:
        self._verdict(name, measured, target, measured <= target, "<=")

    def at_least(self, name: str, measured: float, target: float) -> None:
        self._verdict(name, measured, target, measured >= target, ">=")

    def info(self, name: str, measured: float) -> None:
        self.verdicts.append(f"INFO {name} {measured:.3f}")

    def _verdict(self, name: str, measured: float, target: float, ok: bool, sign: str) -> None:
        self.verdicts.append(
            f"RATIO {name} {measured:.4f} {sign}{target:g} {'ok' if ok else 'SHORT'}"
        )
        self.short = self.short or not ok


def quantiles(stopped: Floats) -> tuple[float, float]:
    """Median and 95th percentile, ∞ where so many were never stopped."""
    ordered = np.sort(stopped)
    median, late = (float(ordered[math.ceil(q * len(ordered)) - 1]) for q in (0.5, 0.95))
    return median, late


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=2000)
    size = parser.parse_args().rollouts
    report, begun = Report(), time.monotonic()
    print(f"{size} rollouts a row\n")
    print(f"{'':17} {'':14} {'rolled back':>12} {'promoted':>10}  {'canary requests to stop':>16}")
    print(f"{'':17} {'':14} {'':>12} {'':>10}  {'median':>7} {'p95':>7}")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        ours = {
            name: pool.submit(simulate, world, size, SEED + row)
            for row, (name, world) in enumerate(WORLDS.items())
        }
        for name, world in WORLDS.items():
            judge(report, name, world, ours[name].result())
            if name in WITH_PEERS:
                for rule, stopped in peers.stopped(world, size, SEED).items():
                    report.row("", rule, stopped, np.isinf(stopped).mean())
    print(f"\n{time.monotonic() - begun:.0f} s\n")
    print("\n".join(report.verdicts))
    return int(report.short)


def judge(report: Report, name: str, world: World, found: Outcome) -> None:
    """One row, and what it has to hold."""
    stopped, promoted = np.isfinite(found.stopped).mean(), np.isfinite(found.promoted).mean()
    report.row(name, "Pawl", found.stopped, float(promoted))
    if world.sticky:
        report.info(f"{name}-sample-ratio-errors", float(found.mismatch.mean()))
    if world.effect == 0:
        report.at_most(f"{name}-rolled-back", float(stopped), MOST_WRONG)
        report.at_least(f"{name}-promoted", float(promoted), LEAST_RIGHT)
        return
    report.at_most(f"{name}-promoted", float(promoted), MOST_WRONG)
    report.at_least(f"{name}-stopped", float(stopped), LEAST_RIGHT)
    reference = oracle.canary_requests(world)
    median, p95 = (value / reference for value in quantiles(found.stopped))
    if name in TIMED:
        report.at_most(f"{name}-median-over-oracle", median, MOST_MEDIAN)
        report.at_most(f"{name}-p95-over-oracle", p95, MOST_P95)
        weight = world.schedule[0][0]
        alphas = (1 - CONFIDENCE) / len(GATES), 1 - CONFIDENCE
        planned = expected_requests(0.01, WORSE, ERROR_MARGIN, *alphas, weight)
        mean = float(found.stopped[np.isfinite(found.stopped)].mean())
        report.info(f"{name}-planned-over-mean", planned / mean)
    else:
        report.info(f"{name}-median-over-oracle", median)
        report.info(f"{name}-p95-over-oracle", p95)


if __name__ == "__main__":
    sys.exit(main())
