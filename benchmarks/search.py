"""A search of 200 trials (or 500): what a trial costs beyond its training, whether that grows with
the number of trials, and whether it is plain optuna.

    python -m benchmarks.search [--trials 200]

The operator is the real one, a process of its own, with the process of its sampler; the API server
is the embedded one. **Pods are pretended**: this process fits the small model of each trial (a
ridge regression on the diabetes data, scored on held-out rows) as soon as its Job is there, and
leaves the score in the store as the pod would. What real pods cost to start is not in it.

Prints:
    overhead-ms     per trial: from one trial's score to the next one's Job, all objects written
    sampler-ms      of that, plain optuna's ask and tell in one process
    operator-cpu-ms per trial, of the operator and of its sampler
    object-bytes    of the TrainingJob in the end, in JSON
    memory-mb       of the operator, after a fifth of the trials and in the end; so of its sampler

RATIO lines: the trials are those of `study.optimize` in one process with the same seed, one by one,
and so is the best value; no more than one Job at once; overhead below 500 ms; a trial of the last
fifth costs at most twice the CPU of one of the second (the first starts the processes), where
optuna's own part grows too; an object of at most 16 KiB.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

from benchmarks import pretence
from benchmarks.many_rollouts import operator
from pawl import constants as c
from pawl.api.search import Search
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.runs import TrialTask
from pawl.artifacts.store import open_store
from pawl.artifacts.trials import Scored, scored_path
from pawl.local.api.registry import Registry
from pawl.search.samplers import distributions, make_sampler

JOBS, TRAINING = "batch/jobs", "pawl.dev/trainingjobs"
SEED, MOST_MS = 11, 500.0
SEARCH: dict[str, Any] = {
    "algorithm": "tpe",
    "objectives": [{"metric": "rmse"}],
    "parameters": [
        {"name": "alpha", "type": "double", "min": 1e-4, "max": 100, "log": True},
        {"name": "fit_intercept", "type": "categorical", "values": ["true", "false"]},
        {"name": "max_iter", "type": "int", "min": 10, "max": 1000},
    ],
}


class Model:
    """Fits and scores; the same parameters give the same score."""

    def __init__(self) -> None:
        x, y = load_diabetes(return_X_y=True)
        self._parts = train_test_split(x, y, test_size=0.3, random_state=SEED)
        self.seconds = 0.0

    def __call__(self, parameters: dict[str, Any]) -> float:
        begun = time.perf_counter()
        x, held_out, y, truth = self._parts
        said = Ridge(**parameters).fit(x, y).predict(held_out)
        self.seconds += time.perf_counter() - begun
        return float(np.sqrt(np.mean((said - truth) ** 2)))


@dataclass
class Pods:
    """Does what the pods of trials do."""

    registry: Registry
    store: str
    model: Model
    tasks: list[TrialTask] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    most: int = 0
    ended: float = 0.0

    async def run(self) -> None:
        watch = self.registry.watch(JOBS)
        watch.begin()
        async for event in watch:
            text = event.object["metadata"].get("annotations", {}).get(c.ANNOTATION_TRIAL)
            if event.type == "ADDED" and text:
                self._trial(event.object, TrialTask.model_validate_json(text))

    def _trial(self, job: dict[str, Any], task: TrialTask) -> None:
        if self.ended:
            self.gaps.append(time.perf_counter() - self.ended)
        jobs = self.registry.list(JOBS, "default")
        self.most = max(self.most, len([j for j in jobs if "status" not in j or j is job]))
        value = self.model(task.parameters)
        self.tasks.append(task)
        self.values.append(value)
        scored = Scored(
            number=task.number,
            parameters=task.parameters,
            values={"rmse": value},
            data_digest="sha256:" + "0" * 64,
        )
        uid = job["metadata"]["ownerReferences"][0]["uid"]
        with open_store(self.store) as store:
            store.put(scored_path(uid, 1, task.number), canonical_json(scored))
        done = {"conditions": [{"type": "Complete", "status": "True"}]}
        self.registry.update(
            JOBS, "default", {**job, "status": done}, manager="pods", subresource="status"
        )
        self.ended = time.perf_counter()


def plain(search: Search, model: Model, trials: int) -> tuple[optuna.Study, float]:
    """The same in one process, and the milliseconds of ask and tell of a trial."""
    space = distributions(search)
    study = optuna.create_study(sampler=make_sampler(search, SEED))

    def objective(trial: optuna.Trial) -> float:
        return model({name: trial._suggest(name, space[name]) for name in space})

    begun, before = time.perf_counter(), model.seconds
    study.optimize(objective, n_trials=trials)
    return study, (time.perf_counter() - begun - (model.seconds - before)) / trials * 1e3


async def measure(folder: Path, trials: int) -> list[str]:
    (folder / "store").mkdir()
    search = Search.model_validate({**SEARCH, "maxTrials": trials})
    async with pretence.cluster(folder) as (registry, _):
        pods = Pods(registry, (folder / "store").as_uri(), Model())
        working = asyncio.create_task(pods.run())
        with operator(folder) as process:
            registry.create(TRAINING, "default", training_job(search), manager="bench")
            used = await over(registry, working, process, pods)
        size = len(canonical_json(registry.get(TRAINING, "default", "tune")))
        working.cancel()
    study, sampler = plain(search, Model(), trials)
    return [
        *told(pods, study, trials, sampler, used[-1].cpu),
        *growth(used, size),
    ]


def training_job(search: Search) -> dict[str, Any]:
    spec = {
        "model": "diabetes",
        "data": {"uri": "s3://none/diabetes/", "task": "regression", "target": "progression"},
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.Ridge"}},
        "search": search.model_dump(mode="json", by_alias=True, exclude_none=True),
        "seed": SEED,
    }
    return {
        "apiVersion": c.API_VERSION,
        "kind": "TrainingJob",
        "metadata": {"name": "tune", "namespace": "default"},
        "spec": spec,
    }


@dataclass(frozen=True)
class Used:
    """By the operator and its sampler: CPU in seconds, memory in MB."""

    cpu: float
    operator: float
    sampler: float

    @classmethod
    def by(cls, process: psutil.Process) -> Used:
        beside = process.children(recursive=True)
        return cls(
            sum(sum(p.cpu_times()[:4]) for p in (process, *beside)),
            process.memory_info().rss / 1e6,
            sum(p.memory_info().rss for p in beside) / 1e6,
        )


async def over(
    registry: Registry, working: asyncio.Task[None], process: psutil.Process, pods: Pods
) -> list[Used]:
    """Returns when the run's own Job is there: what was used after each trial."""
    begun = time.monotonic()
    used: list[Used] = []
    while not any(
        c.LABEL_TRIAL not in job["metadata"]["labels"] for job in registry.list(JOBS, "default")
    ):
        if working.done():
            working.result()
        if time.monotonic() > begun + 900:
            status = registry.get(TRAINING, "default", "tune").get("status")
            raise SystemExit(f"the search does not end: {status}")
        used += [Used.by(process)] * (len(pods.tasks) - len(used))
        await asyncio.sleep(0.05)
    return used


def growth(used: list[Used], size: int) -> list[str]:
    """What must not grow with the trials."""
    fifth = len(used) // 5
    first, last = used[2 * fifth].cpu - used[fifth].cpu, used[-1].cpu - used[-fifth - 1].cpu
    early, late, ratio = used[fifth], used[-1], last / first
    return [
        f"INFO memory-mb {early.operator:.0f} {late.operator:.0f}",
        f"INFO sampler-memory-mb {early.sampler:.0f} {late.sampler:.0f}",
        f"INFO cpu-ms second fifth {first / fifth * 1e3:.0f} last {last / fifth * 1e3:.0f}",
        f"RATIO cpu-growth {ratio:.2f} <=2 {'ok' if ratio <= 2 else 'SHORT'}",
        f"RATIO object-bytes {size} <=16384 {'ok' if size <= 16384 else 'SHORT'}",
    ]


def told(pods: Pods, study: optuna.Study, trials: int, sampler: float, cpu: float) -> list[str]:
    """The lines of the report."""
    same = [task.parameters for task in pods.tasks] == [trial.params for trial in study.trials]
    best, overhead = min(pods.values), float(np.median(pods.gaps)) * 1e3
    return [
        f"INFO trials {len(pods.tasks)}",
        f"INFO overhead-p50-ms {overhead:.0f}",
        f"INFO overhead-max-ms {max(pods.gaps) * 1e3:.0f}",
        f"INFO fit-ms {pods.model.seconds / trials * 1e3:.1f}",
        f"INFO sampler-ms {sampler:.1f}",
        f"INFO operator-cpu-ms {cpu / trials * 1e3:.0f}",
        f"INFO best {best:.6f} optuna {study.best_value:.6f}",
        f"RATIO same-trials {int(same)} ==1 {'ok' if same else 'SHORT'}",
        f"RATIO best-value {best / study.best_value:.6f} ==1 "
        f"{'ok' if best == study.best_value else 'SHORT'}",
        f"RATIO jobs-max {pods.most} <=1 {'ok' if pods.most <= 1 else 'SHORT'}",
        f"RATIO overhead-ms {overhead:.0f} <={MOST_MS:g} "
        f"{'ok' if overhead <= MOST_MS else 'SHORT'}",
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    options = parser.parse_args(arguments)
    optuna.logging.set_verbosity(logging.WARNING)
    logging.getLogger("aiohttp.server").disabled = True  # watches whose client goes in the end
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as name:
        lines = asyncio.run(measure(Path(name), options.trials))
    print("\n".join(lines))
    return 1 if any(line.endswith(" SHORT") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
