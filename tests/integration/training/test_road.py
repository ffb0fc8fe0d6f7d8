"""prepare → train → publish on real data, each stage a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pawl.artifacts.bundle import fetch_bundle, verify_bundle
from pawl.artifacts.records import Metrics
from pawl.artifacts.retry import Retry
from pawl.artifacts.runs import Code, KnownVersion, NoNewData, StoreRef, read_result
from pawl.constants import EXIT_NO_NEW_DATA, EXIT_STORE_UNREACHABLE
from pawl.training.source import collect, content_digest

CAUSE = {"deployment": "tumours", "reason": "Drifted"}


def test_a_recipe_becomes_a_verified_bundle(
    tmp_path: Path, recipe: dict[str, Any], store: str, pod: Any
) -> None:
    result = pod(recipe, processes=True).all()
    assert result.format == "onnx"
    assert result.metrics["roc_auc"] > 0.98
    into = tmp_path / "bundle"
    fetch_bundle(result.artifact.uri, result.artifact.digest, into)
    verify_bundle(into, result.artifact.digest)
    metrics = Metrics.model_validate_json((into / "metrics.json").read_bytes())
    assert metrics.values == result.metrics
    assert metrics.dummy["roc_auc"] == 0.5
    assert [gate.kind for gate in result.gates] == ["dummy"]
    assert result.gates[0].verdict == "Pass"


def test_the_same_recipe_gives_the_same_digest_in_fresh_processes(
    recipe: dict[str, Any], pod: Any
) -> None:
    recipe["trainer"]["sklearn"] = {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "parameters": {"n_estimators": 20},
    }
    first = pod(recipe, processes=True, env={"PYTHONHASHSEED": "1"}).all()
    second = pod(recipe, uid="another", run=5, processes=True, env={"PYTHONHASHSEED": "2"}).all()
    assert first.artifact.digest == second.artifact.digest


def test_the_thread_count_is_recorded_and_the_same_one_gives_the_same_digest(
    recipe: dict[str, Any], pod: Any
) -> None:
    recipe["trainer"]["sklearn"] = {
        "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
        "parameters": {"max_iter": 20},
    }
    one, two, again = (
        pod(recipe, uid=uid, threads=threads, processes=True).all()
        for uid, threads in (("one", 1), ("two", 2), ("again", 2))
    )
    assert [made.lineage.threads for made in (one, two, again)] == [1, 2, 2]
    assert two.artifact.digest == again.artifact.digest
    assert one.lineage.environment_digest != two.lineage.environment_digest


def test_the_source_is_in_the_result_and_does_not_change_the_bundle(
    recipe: dict[str, Any], pod: Any
) -> None:
    one, other = (
        pod(recipe, uid=revision, code=Code(repo="https://git/acme", revision=revision)).all()
        for revision in ("1a2b3c", "4d5e6f")
    )
    assert one.code == Code(repo="https://git/acme", revision="1a2b3c")
    assert one.artifact.digest == other.artifact.digest


def test_another_seed_gives_another_digest(recipe: dict[str, Any], pod: Any) -> None:
    recipe["trainer"]["sklearn"] = {"estimator": "sklearn.ensemble.ExtraTreesClassifier"}
    first = pod(recipe).all()
    second = pod(recipe | {"seed": 8}, uid="another").all()
    assert first.artifact.digest != second.artifact.digest


def test_a_second_publish_reports_the_first_result(recipe: dict[str, Any], pod: Any) -> None:
    mine = pod(recipe)
    mine.all()
    first = mine.termination
    lines = mine.stage("publish")
    assert mine.termination == first
    assert any("published already" in line["message"] for line in lines)


def test_two_that_publish_the_same_run_report_one_result(recipe: dict[str, Any], pod: Any) -> None:
    mine = pod(recipe)
    mine.stage("prepare")
    mine.stage("train")
    twin = pod(recipe)
    shutil.copytree(mine.work, twin.work)
    publishing = [
        subprocess.Popen(
            [sys.executable, "-m", "pawl.training", "publish"],
            env=each.environment(),
            stdout=subprocess.DEVNULL,
        )
        for each in (mine, twin)
    ]
    assert [process.wait(60) for process in publishing] == [0, 0]
    assert mine.termination == twin.termination


def test_a_publish_that_dies_before_its_result_is_repeated_whole(
    recipe: dict[str, Any], pod: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is there already, the result is not."""
    monkeypatch.setattr("pawl.training.publish.PATIENT", Retry(attempts=2))
    mine = pod(recipe)
    mine.stage("prepare")
    mine.stage("train")
    (tmp_path / "store").mkdir()
    blocked = tmp_path / "store/runs"
    blocked.write_text("in the way")
    mine.stage("publish", expect=EXIT_STORE_UNREACHABLE)
    (bundle,) = (tmp_path / "store/bundles/team/tumours").iterdir()
    blocked.unlink()
    mine.stage("publish")
    assert mine.result().artifact.digest == f"sha256:{bundle.name}"
    assert [bundle] == list((tmp_path / "store/bundles/team/tumours").iterdir())


def test_the_same_recipe_and_data_give_the_recorded_version_back(
    recipe: dict[str, Any], pod: Any
) -> None:
    first = pod(recipe).all()
    version = StoreRef(name="tumours-v1", uri=first.artifact.uri, digest=first.artifact.digest)
    known = KnownVersion(version=version, data_digest=first.lineage.data.digest)
    again = pod(recipe, uid="again", known=(known,)).all()
    assert (again.outcome, again.artifact) == ("Recorded", version)
    assert again.metrics == first.metrics
    other = KnownVersion(version=version, data_digest="sha256:" + "0" * 64)
    assert pod(recipe, uid="other", known=(other,)).all().outcome == "Succeeded"


@pytest.mark.parametrize(
    "trainer",
    [
        pytest.param({"sklearn": {"estimator": "sklearn.svm.SVC"}}, id="sklearn"),
        pytest.param({"container": {"image": "mine:1"}}, id="container"),
    ],
)
def test_prepare_ends_a_retrain_whose_data_have_not_changed(
    recipe: dict[str, Any], pod: Any, trainer: dict[str, Any], breast_cancer: Path
) -> None:
    unchanged = content_digest(collect(breast_cancer.as_uri(), "auto", breast_cancer.parent))
    recipe["trainer"] = trainer
    recipe["cause"] = CAUSE | {"dataDigest": unchanged}
    mine = pod(recipe, processes=True)
    mine.stage("prepare", expect=EXIT_NO_NEW_DATA)
    assert mine.termination.reason == "NoNewData"
    assert "the data have not changed since sha256:" in mine.termination.message
    assert not (mine.work / "data/train.parquet").exists()
    told = Path(mine.store.removeprefix("file://")) / mine.termination.result
    assert read_result(told.read_bytes()) == NoNewData(
        uid=mine.uid, run=mine.run, data_digest=unchanged
    )


def test_a_retrain_trains_on_data_that_have_changed(recipe: dict[str, Any], pod: Any) -> None:
    recipe["cause"] = CAUSE | {"dataDigest": "sha256:" + "0" * 64}
    assert pod(recipe).all().outcome == "Succeeded"
