"""prepare → train → publish on real data, each stage a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pawl.artifacts.bundle import fetch_bundle, verify_bundle
from pawl.artifacts.records import Metrics


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
