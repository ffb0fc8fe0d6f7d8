"""A search: one Job per trial, the same search after the operator was killed, pruned trials."""

from __future__ import annotations

import json
from typing import Any

import recipes
from harness import Space, eventually

PARAMETERS = [{"name": "C", "type": "double", "min": 0.001, "max": 100, "log": True}]


def search(**changes: Any) -> dict[str, Any]:
    return {
        "algorithm": "tpe",
        "objectives": [{"metric": "log_loss"}],
        "maxTrials": 6,
        "parameters": PARAMETERS,
        **changes,
    }


def table(space: Space, name: str, run: int = 1) -> list[dict[str, Any]]:
    uid = (space.get("TrainingJob", name) or {})["metadata"]["uid"]
    path = space.cluster.store / f"runs/{uid}-{run}/trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_operator_killed_in_mid_search_goes_on_with_the_same_search(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    spec = recipes.sklearn_job(uri, search=search(parallelTrials=2), seed=5)
    space.create("TrainingJob", "tune", spec)
    most = 0

    def some_are_over() -> bool:
        nonlocal most
        trials = space.status("TrainingJob", "tune").get("trials") or {}
        most = max(most, len(space.list("Job", "pawl.dev/trial")))
        return int(trials.get("succeeded", 0)) >= 2

    eventually(some_are_over, "two trials")
    space.cluster.kill_operator()
    version = space.trained("tune")
    assert most <= 2
    trials = table(space, "tune")
    assert [trial["number"] for trial in trials] == list(range(6))
    assert {trial["outcome"] for trial in trials} == {"Succeeded"}
    best = min(trials, key=lambda trial: trial["values"]["log_loss"])
    lineage = (space.get("ModelVersion", version) or {})["spec"]["lineage"]
    assert lineage["search"]["trial"] == best["number"]
    assert lineage["search"]["trials"] == 6
    assert lineage["parameters"]["C"] == best["parameters"]["C"]
    status = space.status("TrainingJob", "tune")
    assert status["search"] == "MaxTrials"
    assert status["best"]["trial"] == best["number"]
    eventually(lambda: not space.list("Job", "pawl.dev/trial"), "no Jobs of trials")
    assert len(space.list("ModelVersion")) == 1


#: Reports x as its loss, and takes its time when that is large.
TRAIN = """
import json, os, pathlib, time

x = json.loads(pathlib.Path(os.environ["PAWL_PARAMETERS"]).read_text())["x"]
print(json.dumps({"pawl": "report", "step": 1, "value": x}), flush=True)
if x > 0.5:
    time.sleep(300)
""" + recipes.logistic("x / 1000")


def test_a_trial_that_reports_worse_than_the_median_is_pruned(space: Space):
    """With this seed x is below 0.5 five times, as many as the pruner compares with, then 0.73."""
    uri = space.put("cancer.parquet", recipes.cancer())
    image = {"image": "pawl/trainer:0.1.0", "command": ["python", "-c"], "args": [TRAIN]}
    x = {"name": "x", "type": "double", "min": 0, "max": 1}
    tune = search(algorithm="random", pruner="median", parallelTrials=1, parameters=[x])
    spec = recipes.sklearn_job(uri, trainer={"container": image}, search=tune, seed=91)
    space.create("TrainingJob", "tune", spec)
    space.trained("tune")
    *good, bad = table(space, "tune")
    assert {trial["outcome"] for trial in good} == {"Succeeded"}
    assert [trial["reports"] for trial in good] == [[[1, t["parameters"]["x"]]] for t in good]
    assert (bad["outcome"], bad["values"]) == ("Pruned", {})
    assert bad["reports"] == [[1, bad["parameters"]["x"]]]
    assert space.status("TrainingJob", "tune")["trials"]["pruned"] == 1
