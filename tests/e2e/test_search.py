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


def test_trials_that_do_worse_than_the_median_are_pruned(space: Space):
    """The grid ends with hopeless trials, which take their time: the shares of the rows are
    reported long before they are over."""
    uri = space.put("mixed.parquet", recipes.mixed())
    data = {"uri": uri, "task": "binary", "target": "churned", "idColumns": ["customer"]}
    tune = search(
        algorithm="random",
        pruner="median",
        maxTrials=9,
        parameters=[{"name": "learning_rate", "type": "double", "min": 0.0001, "max": 0.3,
                     "log": True}],
    )  # fmt: skip
    estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
    spec = recipes.sklearn_job(uri, estimator, {"max_iter": 400}, data=data, search=tune)
    space.create("TrainingJob", "tune", spec)
    space.trained("tune")
    trials = table(space, "tune")
    pruned = [trial for trial in trials if trial["outcome"] == "Pruned"]
    assert len(pruned) == space.status("TrainingJob", "tune")["trials"].get("pruned", 0)
    assert pruned
    assert all(trial["reports"] and not trial["values"] for trial in pruned)
