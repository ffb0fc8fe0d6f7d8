"""Searches of other kinds: cross-validated for two objectives, resumed, drawn; and ended early."""

from __future__ import annotations

from pathlib import Path

import recipes
from harness import Space, condition
from test_search import search, table
from trial import pawl


def test_a_cross_validated_search_for_two_objectives_goes_on_and_is_drawn(
    space: Space, tmp_path: Path
):
    uri = space.put("cancer.parquet", recipes.cancer())
    both = [{"metric": "roc_auc"}, {"metric": "log_loss"}]
    folds = {"folds": 3}
    tune = search(algorithm="nsga2", objectives=both, crossValidation=folds, maxTrials=2)
    space.create("TrainingJob", "tune", recipes.sklearn_job(uri, search=tune, seed=1))
    place = ("-n", space.name, "--store", space.cluster.store.as_uri())
    followed = pawl(space.cluster, "trials", "tj/tune", *place, "--watch")  # until the run is over
    assert "2 of 2 trials" in followed
    space.trained("tune")
    before = table(space, "tune")
    space.patch("TrainingJob", "tune", {"search": {"maxTrials": 3}})
    space.until(
        "TrainingJob",
        "tune",
        lambda s: s["run"].get("resumes") == 1 and s["phase"] == "Succeeded",
    )
    trials = table(space, "tune", run=2)
    assert (trials[:2], len(trials)) == (before, 3)
    assert all(set(trial["values"]) == {"roc_auc", "log_loss"} for trial in trials)
    best = max(trials, key=lambda trial: trial["values"]["roc_auc"])
    status = space.status("TrainingJob", "tune")
    assert status["best"]["trial"] == best["number"]
    lineage = (space.get("ModelVersion", status["modelVersion"]) or {})["spec"]["lineage"]
    assert lineage["parameters"]["C"] == best["parameters"]["C"]

    said = pawl(space.cluster, "trials", "tj/tune", *place, "--html", str(tmp_path / "page"))
    assert "3 of 3 trials" in said
    assert "study" not in said  # optuna would tell of one
    page = (tmp_path / "page").read_text()
    assert page.count("<circle") == 3
    assert f"best: trial {best['number']}" in page


def test_a_search_ends_when_it_is_good_enough_and_when_too_much_fails(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    content = {"parallelTrials": 1, "stop": {"value": 10}}
    space.create("TrainingJob", "modest", recipes.sklearn_job(uri, search=search(**content)))
    solvers = {"name": "solver", "type": "categorical", "values": ["guess", "wish"]}
    tune = search(algorithm="grid", parameters=[solvers], parallelTrials=1, maxFailedTrials=0)
    space.create("TrainingJob", "hopeless", recipes.sklearn_job(uri, search=tune))
    failed = condition(space.finished("hopeless"), "Failed")
    assert "solver" in failed["message"], failed
    assert space.status("TrainingJob", "hopeless")["trials"]["failed"] == 1
    space.trained("modest")
    assert space.status("TrainingJob", "modest")["search"] == "GoalReached"
    assert [trial["number"] for trial in table(space, "modest")] == [0]
