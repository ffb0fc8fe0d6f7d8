"""How quick: 60 columns from counts; and 100,000 raw rows of them beside other tools.

Each tool is a process in an environment of its own, and gets the same two tables, in memory. It
says how many seconds of CPU it took to compare them, after a first call that loads what is loaded
late, and the most memory it ever had. Pawl runs before and after each, because a machine's speed
drifts. It does not read the reference's rows: training did.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drifts import traffic
from benchmarks.drifts.months import RULES
from benchmarks.drifts.traffic import MONTH, World
from benchmarks.serving_peers import venvs
from benchmarks.serving_peers.venvs import PeerError
from pawl.stats.drift.decision import judge
from pawl.stats.drift.window import counted
from pawl.stats.metrics import Answers
from pawl.training import baseline
from pawl.training.features import Matrix

HERE = Path(__file__).parent
REQUIREMENTS: dict[str, list[str]] = json.loads((HERE / "requirements.json").read_text())
ROWS, ROUNDS = 100_000, 3


def from_counts() -> float:
    """Milliseconds to judge an hour of 60 features, the median of many."""
    generator = np.random.default_rng(0)
    world = World(5000, burst=5)
    layout = traffic.reference(world, generator)
    window = counted(layout, next(traffic.hours(world, generator, 1)))
    took = []
    for _ in range(200):
        begun = time.perf_counter()
        judge(window, layout, RULES, windows=MONTH)
        took.append(time.perf_counter() - begun)
    return 1000 * statistics.median(took)


def tables(folder: Path) -> None:
    """Reference and current rows, the baseline of the reference, and its bins' edges."""
    generator = np.random.default_rng(1)
    moved = np.linspace(0, 0.6, traffic.FEATURES)
    reference = generator.standard_normal((ROWS, traffic.FEATURES))
    current = generator.standard_normal((ROWS, traffic.FEATURES)) + moved
    names = tuple(f"f{i}" for i in range(traffic.FEATURES))
    matrix = Matrix(reference, np.empty((ROWS, 0), dtype=object), names, ())
    said = Answers(values=reference[:, 0])
    made = baseline.build(matrix, said, "regression", ())
    np.save(folder / "reference.npy", reference)
    np.save(folder / "current.npy", current)
    np.save(folder / "edges.npy", np.array([feature.edges for feature in made.numeric]))
    (folder / "baseline.json").write_text(made.model_dump_json(by_alias=True))


def pair(tool: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Pawl says of itself, the median of the rounds, and what the other tool says."""
    before = [measured("pawl", folder) for _ in range(ROUNDS)]
    theirs = measured(tool, folder)
    after = [measured("pawl", folder) for _ in range(ROUNDS - 1)]
    rounds = sorted([*before, *after], key=lambda told: float(told["seconds"]))
    return rounds[len(rounds) // 2], theirs


def measured(tool: str, folder: Path) -> dict[str, Any]:
    """What a tool says of itself. PeerError when it cannot be run."""
    command = [sys.executable, "-m", "benchmarks.drifts.ours", str(folder)]
    if tool != "pawl":
        python = venvs.python(tool, REQUIREMENTS)
        command = [str(python), str(HERE / f"peer_{tool}.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise PeerError(f"{tool}: {done.stderr.strip().splitlines()[-1][:300]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
