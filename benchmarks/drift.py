"""How good the decisions on drift are, by simulation, and how quick: 60 features of ten bins,
judged every hour against a reference of 10,000 rows.

    python -m benchmarks.drift [--models 40] [--trials 170] [--no-peers]

First what happens in 30 days in which nothing should be told (benchmarks/drifts/months.py says what
the rules are, traffic.py what the traffic is): alarms a model, and the shares of Pawl's decisions
that were left open, and whose p was at most 5 %. Independent rows and a mix that stays must give at
most one alarm a model. In `daily` traffic the mix of every hour does differ from that of the week,
so there the same hour of last week is tried as the reference too.

Then which share of features that have changed is found by the first hour, for several kinds of
changes with a known true index: at least 99 % at 0.35 with 500 rows, at 0.30 with 1,000, at 0.25
with 5,000. Then time and memory, of 60 columns from counts and of 100,000 × 60 raw rows, beside
other tools in the same run (speed.py). Evidently's time is that of its preset with PSI; NannyML's
is for fitting the reference and calculating.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from subprocess import SubprocessError

from benchmarks.decisions import Report
from benchmarks.drifts import speed
from benchmarks.drifts.detection import SHAPES, detection
from benchmarks.drifts.months import Month, month
from benchmarks.drifts.traffic import FEATURES, MONTH, World
from benchmarks.serving_peers.venvs import PeerError

SEED = 60
MOST_ALARMS, LEAST_FOUND = 1.0, 0.99
MOST_MS, OVER_EVIDENTLY, OVER_NANNYML, MEMORY = 5.0, 40.0, 5.0, 1 / 3
SAME = 1e-9

#: By name: the traffic, how many models of 40, and whether last week is a reference too.
WORLDS = {
    "independent-100": (World(100), 2, False),
    "independent-500": (World(500), 40, False),
    "independent-5000": (World(5000), 4, False),
    "bursts-500": (World(500, burst=5), 6, False),
    "bursts-2500": (World(2500, burst=5), 6, False),
    "restless-2000": (World(2000, restless=1.0), 3, False),
    "daily-1000": (World(1000, daily=1.0), 3, True),
    "daily-bursts-2500": (World(2500, burst=5, daily=1.0), 2, True),
}
#: Rows an hour, and the true index that they must do for.
SIZES = {500: 0.35, 1000: 0.30, 5000: 0.25}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=40, help="of the first kind of traffic")
    parser.add_argument("--trials", type=int, default=170, help="hours, of 60 features each")
    parser.add_argument("--no-peers", action="store_true", help="without other tools' speed")
    options = parser.parse_args()
    report, begun = Report(), time.monotonic()
    report.at_most("drift-60-columns-ms", speed.from_counts(), MOST_MS)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        quiet_months(report, pool, options.models)
        detections(report, pool, options.trials)
    print(f"\n{time.monotonic() - begun:.0f} s\n", flush=True)
    if not options.no_peers:
        beside_peers(report)
    print("\n".join(["", *report.verdicts]))
    return int(report.short)


def quiet_months(report: Report, pool: ProcessPoolExecutor, models: int) -> None:
    """Alarms of a model in 30 days, by traffic and rule."""
    jobs = {
        name: [
            pool.submit(month, world, SEED + seed, same_hour)
            for seed in range(max(1, count * models // 40))
        ]
        for name, (world, count, same_hour) in WORLDS.items()
    }
    head = f"{'traffic':18} {'rule':20} {'alarms a model in 30 days':>26}"
    print(f"{head} {'left open':>10} {'p ≤ 5 %':>7}")
    for name, futures in jobs.items():
        months = [future.result() for future in futures]
        for row, rule in enumerate(months[0].alarms):
            alarms = sum(found.alarms[rule] for found in months) / len(months)
            part = "" if row else f"{share(months, 'open'):10.1%} {share(months, 'low'):7.2%}"
            print(f"{'' if row else name:18} {rule:20} {alarms:26,.2f} {part}", flush=True)
            if rule == "Pawl" and name.startswith("independent"):
                report.at_most(f"drift-{name}-alarms", alarms, MOST_ALARMS)
            elif rule.startswith("Pawl"):
                of = "-same-hour" if rule.endswith("hour") else ""
                report.info(f"drift-{name}{of}-alarms", alarms)


def share(months: list[Month], of: str) -> float:
    """Of Pawl's decisions."""
    return float(sum(getattr(found, of) for found in months) / (len(months) * MONTH * FEATURES))


def detections(report: Report, pool: ProcessPoolExecutor, trials: int) -> None:
    """Shares found by the first hour, by size, true index and kind of change."""
    cases = [(World(rows), index) for rows, index in SIZES.items()]
    cases.append((World(2500, burst=5), 0.35))
    jobs = [
        (world, index, shape, pool.submit(detection, world, shape, index, trials, SEED))
        for world, index in cases
        for shape in SHAPES
    ]
    print(f"\n{'rows':>5} {'burst':>5} {'true PSI':>8} {'change':14} {'Pawl':>7} {'PSI > 0.2':>9}")
    least: dict[tuple[World, float], float] = {}
    for world, index, shape, job in jobs:
        found = job.result()
        least[world, index] = min(found.ours, least.get((world, index), 1.0))
        print(
            f"{world.rows:5} {world.burst:5} {index:8} {shape:14} "
            f"{found.ours:7.2%} {found.thumb:9.2%}",
            flush=True,
        )
    for (world, index), found_share in least.items():
        name = f"drift-{index:g}-of-{world.rows}-rows"
        if world.burst == 1:
            report.at_least(f"{name}-found", found_share, LEAST_FOUND)
        else:
            report.info(f"{name}-in-bursts-found", found_share)


def beside_peers(report: Report) -> None:
    """Raw rows: times of theirs, and their memory."""
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        folder = Path(name)
        speed.tables(folder)
        least = {"evidently": OVER_EVIDENTLY, "nannyml": OVER_NANNYML}
        for tool in speed.REQUIREMENTS:
            try:
                ours, theirs = speed.pair(tool, folder)
            except (PeerError, OSError, SubprocessError) as error:
                report.verdicts.append(f"FAILED {tool} {error}")
                report.short = True
                continue
            show("pawl", ours["seconds"], ours["megabytes"])
            show(tool, theirs["seconds"], theirs["megabytes"])
            times = theirs["seconds"] / ours["seconds"]
            memory = ours["megabytes"] / theirs["megabytes"]
            if tool in least:
                report.at_least(f"drift-times-{tool}", times, least[tool])
                report.at_most(f"drift-memory-over-{tool}", memory, MEMORY)
            else:
                report.info(f"drift-times-{tool}", times)
                report.info(f"drift-memory-over-{tool}", memory)
            for part in ("bare", "calculate"):
                if part in theirs:
                    report.info(f"drift-times-{tool}-{part}", theirs[part] / ours["seconds"])
            if "psi" in theirs:
                apart = max(abs(a - b) for a, b in zip(theirs["psi"], ours["psi"], strict=True))
                report.at_most(f"drift-psi-apart-{tool}", apart, SAME)


def show(tool: str, seconds: float, megabytes: float) -> None:
    print(f"{tool:10} {seconds:8.2f} s of CPU {megabytes:7.0f} MB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
