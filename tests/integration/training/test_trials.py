"""A trial in its pod: prepare, train, score. It looks at validation rows and leaves no model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pawl.artifacts.reports import parse_reports
from pawl.artifacts.runs import KnownVersion, RunResult, TrialTask
from pawl.artifacts.trials import Scored

EXAMPLES = Path(__file__).parents[3] / "manifests/examples"
SEARCH = {
    "objectives": [{"metric": "roc_auc"}],
    "parameters": [{"name": "C", "type": "double", "min": 0.01, "max": 10}],
}


def trial(number: int = 0, **changes: Any) -> dict[str, str]:
    values: dict[str, Any] = {"number": number, "search_run": 1, "parameters": {"C": 0.5}}
    return {"PAWL_TRIAL": TrialTask(**values | changes).model_dump_json(by_alias=True)}


def scored(pod: Any, number: int = 0) -> Scored:
    folder = Path(pod.store.removeprefix("file://")) / f"runs/{pod.uid}-1/trials"
    return Scored.model_validate_json((folder / f"{number}.scored.json").read_bytes())


def stages(pod: Any) -> None:
    for name in ("prepare", "train", "score"):
        pod.stage(name)


@pytest.fixture
def search(recipe: dict[str, Any]) -> dict[str, Any]:
    return {**recipe, "search": SEARCH}


def test_a_trial_scores_as_the_published_model_does_on_validation_rows(
    search: dict[str, Any], pod: Any
):
    mine = pod(search, env=trial())
    stages(mine)
    found = scored(mine)
    assert found.parameters == {"C": 0.5}
    assert not list(mine.work.glob("output/*"))
    search["trainer"]["sklearn"]["parameters"] = {"C": 0.5}
    search["evaluation"] = {"metrics": ["roc_auc"]}
    whole = pod(search, uid="whole").all()
    assert found.data_digest == whole.lineage.data.digest
    metrics = (Path(whole.artifact.uri.removeprefix("file://")) / "metrics.json").read_text()
    expected = yaml.safe_load(metrics)["validation"]["roc_auc"]
    assert found.values == {"roc_auc": pytest.approx(expected, abs=1e-6)}


def test_test_rows_have_no_influence(search: dict[str, Any], pod: Any):
    one, other = pod(search, env=trial()), pod(search, env=trial(), uid="other")
    stages(one)
    other.stage("prepare")
    test = other.work / "held-out/test.parquet"
    table = pq.read_table(test)
    target = table.column_names.index("__pawl_target__")
    turned = pa.array(1 - table.column(target).to_numpy())
    pq.write_table(table.set_column(target, "__pawl_target__", turned), test)
    other.stage("train")
    other.stage("score")
    assert scored(other).values == scored(one).values


def test_with_a_pruner_growing_shares_of_the_rows_are_reported(search: dict[str, Any], pod: Any):
    mine = pod(search, env=trial(steps=True), processes=True)
    mine.stage("prepare")
    lines = mine.stage("train")
    reports = parse_reports("\n".join(json.dumps(line) for line in lines))
    assert [step for step, _ in reports] == [1, 3, 9]
    mine.stage("score")
    assert reports[-1][1] == scored(mine).values["roc_auc"]


def test_data_that_the_first_trial_did_not_see_are_refused(search: dict[str, Any], pod: Any):
    mine = pod(search, env=trial(data_digest="sha256:" + "0" * 64))
    mine.stage("prepare", expect=10)
    assert mine.termination.reason == "DataChanged"
    assert "changed while the search went on" in mine.termination.message


def test_what_an_earlier_try_has_scored_stands(search: dict[str, Any], pod: Any):
    mine = pod(search, env=trial())
    stages(mine)
    before = scored(mine)
    again = pod(search, env=trial(parameters={"C": 0.01}))
    stages(again)
    assert scored(again) == before


def test_a_wrong_parameter_fails_the_trial_with_a_sentence(search: dict[str, Any], pod: Any):
    mine = pod(search, env=trial(parameters={"D": 1}))
    mine.stage("prepare")
    mine.stage("train", expect=10)
    assert 'has no parameter "D"' in mine.termination.message


def test_a_container_is_given_the_trials_parameters_and_scored(breast_cancer: Path, pod: Any):
    example = EXAMPLES / "bring-your-own"
    spec = yaml.safe_load((example / "trainingjob.yaml").read_text())["spec"]
    spec["data"]["uri"] = breast_cancer.as_uri()
    mine = pod({**spec, "search": SEARCH}, env=trial(parameters={"learning_rate": 0.3}))
    mine.stage("prepare")
    assert yaml.safe_load((mine.work / "parameters.json").read_text())["learning_rate"] == 0.3
    subprocess.run(
        [sys.executable, str(example / "train.py")], env=mine.environment(), check=True, timeout=120
    )
    mine.stage("score")
    assert scored(mine).values["roc_auc"] > 0.9
    assert scored(mine).seconds is None


def test_a_recipe_that_was_run_before_gives_its_version_back(search: dict[str, Any], pod: Any):
    first: RunResult = pod(search, uid="first").all()
    known = KnownVersion(version=first.artifact, data_digest=first.lineage.data.digest)
    mine = pod(search, env=trial(), known=(known,))
    stages(mine)
    assert mine.result().outcome == "Recorded"
    assert mine.result().artifact == first.artifact


def test_the_example_of_a_search_is_one(breast_cancer: Path, pod: Any):
    spec = yaml.safe_load((EXAMPLES / "search/trainingjob.yaml").read_text())["spec"]
    spec["data"]["uri"] = breast_cancer.as_uri()
    parameters = {"learning_rate": 0.1, "max_leaf_nodes": 8, "max_iter": 20, "max_features": 0.6}
    mine = pod(spec, env=trial(parameters=parameters))
    stages(mine)
    assert set(scored(mine).values) == {"log_loss"}


def test_cross_validation_scores_every_row_but_those_of_the_test_part(
    search: dict[str, Any], pod: Any
):
    """The mean over folds, as scikit-learn has it for the same folds."""
    search["search"] = {**SEARCH, "crossValidation": {"folds": 4}}
    mine = pod(search, env=trial())
    mine.stage("prepare")
    fold = np.load(mine.work / "held-out/folds.npy")
    given = pa.concat_tables(
        pq.read_table(mine.work / f"data/{part}.parquet") for part in ("train", "validation")
    ).to_pandas()
    assert sorted(set(fold.tolist())) == [0, 1, 2, 3]
    assert len(fold) == len(given)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, random_state=7))
    wanted = cross_val_score(
        pipeline,
        given.drop(columns="diagnosis"),
        given["diagnosis"],
        scoring="roc_auc",
        cv=PredefinedSplit(fold),
    )
    for stage in ("train", "score"):
        mine.stage(stage)
    found = scored(mine)
    assert found.values["roc_auc"] == pytest.approx(wanted.mean(), abs=1e-4)
    assert found.seconds is not None
