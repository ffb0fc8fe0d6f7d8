"""A version that is made again: the same bit by bit, or it is told which files are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pawl.artifacts import bundle
from pawl.artifacts.records import Lineage, SearchLineage
from pawl.artifacts.runs import Reproduction, RunResult, StoreRef, read_result
from pawl.constants import EXIT_USER_ERROR

SEARCH = SearchLineage(
    algorithm="tpe", objectives={"log_loss": "minimize"}, trials=3, trial=1,
    values={"log_loss": 0.1}, digest="sha256:" + "ef" * 32,
)  # fmt: skip


@pytest.fixture
def forest(recipe: dict[str, Any]) -> dict[str, Any]:
    """One whose seed counts."""
    recipe["trainer"]["sklearn"] = {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "parameters": {"n_estimators": 5},
    }
    return recipe


def again(made: RunResult) -> dict[str, Any]:
    """What run.json says besides."""
    version = StoreRef(name="tumours-v1", uri=made.artifact.uri, digest=made.artifact.digest)
    return {"reproduces": version, "data_digest": made.lineage.data.digest}


def repeated(pod: Any, spec: dict[str, Any], made: RunResult, **changes: Any) -> Reproduction:
    run = pod(spec, uid="again", more=again(made), **changes)
    for stage in ("prepare", "train", "publish"):
        run.stage(stage)
    path = Path(run.store.removeprefix("file://")) / "runs/again-1/result.json"
    found = read_result(path.read_bytes())
    assert isinstance(found, Reproduction)
    return found


def bundles(store: str) -> set[Path]:
    return set((Path(store.removeprefix("file://")) / "bundles").rglob("*"))


def test_in_a_fresh_process_every_file_is_the_same(forest: dict[str, Any], pod: Any, store: str):
    made = pod(forest, processes=True, env={"PYTHONHASHSEED": "1"}).all()
    before = bundles(store)
    found = repeated(pod, forest, made, processes=True, env={"PYTHONHASHSEED": "2"})
    assert found.outcome == "Reproduced"
    assert {file.name for file in found.files} >= {"model.onnx", "lineage.json", "card.md"}
    assert "all" in found.sentence()
    assert bundles(store) == before


def test_files_that_differ_are_named(forest: dict[str, Any], pod: Any):
    made = pod(forest).all()
    found = repeated(pod, {**forest, "seed": 99}, made)
    assert found.outcome == "Differs"
    other = {file.name for file in found.files if not file.same}
    assert {"model.onnx", "lineage.json"} <= other
    assert "signature.json" not in other
    assert "model.onnx" in found.sentence()


def test_data_that_have_changed_are_not_trained_on(forest: dict[str, Any], pod: Any):
    made = pod(forest).all()
    changed = {**again(made), "data_digest": "sha256:" + "0" * 64}
    run = pod(forest, uid="again", more=changed)
    run.stage("prepare", expect=EXIT_USER_ERROR)
    assert run.termination.reason == "DataChanged"
    assert "changed since tumours-v1 was trained" in run.termination.message


def test_data_that_were_pinned_are_read_again_after_they_were_overwritten(
    forest: dict[str, Any], pod: Any, tmp_path: Path
):
    source = Path(forest["data"]["uri"].removeprefix("file://"))
    data = tmp_path / source.name
    data.write_bytes(source.read_bytes())
    spec = {**forest, "data": {**forest["data"], "uri": f"file://{data}", "pin": "snapshot"}}
    made = pod(spec).all()
    data.write_text("overwritten")
    assert repeated(pod, spec, made).outcome == "Reproduced"


def test_checks_of_the_age_were_passed_when_the_data_were_young(forest: dict[str, Any], pod: Any):
    made = pod(forest).all()
    old = {**forest, "data": {**forest["data"], "checks": [{"minRows": 10**6}]}}
    run = pod(old, uid="again", more=again(made))
    run.stage("prepare")


def test_what_a_search_has_chosen_is_taken_over(forest: dict[str, Any], pod: Any):
    made = pod(forest, more={"search": SEARCH}).all()
    assert made.lineage.search == SEARCH
    assert repeated(pod, forest, made).outcome == "Reproduced"


def test_the_recipe_is_recorded_without_what_changes_in_place_and_without_secrets(
    forest: dict[str, Any], pod: Any, tmp_path: Path
):
    spec = {**forest, "suspend": False, "backoffLimit": 5, "approval": "Required"}
    made = pod(spec).all()
    bundle.fetch_bundle(made.artifact.uri, made.artifact.digest, tmp_path / "b")
    told = Lineage.model_validate_json((tmp_path / "b" / bundle.LINEAGE).read_bytes()).recipe
    assert told["trainer"] == forest["trainer"]
    assert not told.keys() & {"suspend", "backoffLimit", "approval"}
