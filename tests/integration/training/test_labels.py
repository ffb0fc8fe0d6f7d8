"""A run whose target is made of the labels of several annotators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pawl import constants
from pawl.artifacts.records import Metrics


@pytest.fixture
def annotated(recipe: dict[str, Any], breast_cancer: Path, tmp_path: Path) -> dict[str, Any]:
    """Four annotators, of whom each is wrong in 5 % of the rows and silent in 20 %."""
    table, generator = pq.read_table(breast_cancer), np.random.default_rng(5)
    truth = np.array(table.column("diagnosis").to_pylist(), dtype=object)
    other = np.where(truth == "benign", "malignant", "benign")
    for name in ("anna", "bo", "cy", "dee"):
        said = np.where(generator.random(len(truth)) < 0.05, other, truth)
        said[generator.random(len(truth)) < 0.2] = None
        table = table.append_column(name, [said.tolist()])
    path = tmp_path / "annotated.parquet"
    pq.write_table(table.drop_columns(["diagnosis"]), path)
    labels = {"annotators": ["anna", "bo", "cy", "dee"], "aggregate": "majority", "minKappa": 0.7}
    return {**recipe, "data": recipe["data"] | {"uri": path.as_uri(), "labels": labels}}


def test_a_model_learns_what_most_annotators_say(annotated: dict[str, Any], pod: Any) -> None:
    run = pod(annotated)
    result = run.all()
    assert result.metrics["roc_auc"] > 0.9
    assert not {"anna", "bo", "cy", "dee"} & {tensor.name for tensor in result.signature.inputs}
    bundle = Path(result.artifact.uri.removeprefix("file://"))
    metrics = Metrics.model_validate_json((bundle / "metrics.json").read_bytes())
    agreement = metrics.agreement
    assert agreement is not None
    assert agreement.tied
    assert 0.7 < agreement.interval[0] < agreement.kappa < 0.9
    assert result.lineage.data.rows <= 569 - agreement.tied
    assert f"Fleiss' kappa {agreement.kappa:.2f}" in (bundle / "card.md").read_text()
    assert any("no label that most annotators gave" in warning for warning in result.warnings)


def test_annotators_who_disagree_stop_prepare(annotated: dict[str, Any], pod: Any) -> None:
    annotated["data"]["labels"]["minKappa"] = 0.95
    run = pod(annotated)
    run.stage("prepare", expect=constants.EXIT_USER_ERROR)
    assert run.termination.reason == "CheckFailed"
    assert "must be at least 0.95 (minKappa)" in run.termination.message
    path = run.termination.message.rpartition(" ")[2]
    lines = (Path(run.store.removeprefix("file://")) / path).read_text().splitlines()
    first = json.loads(lines[0])
    assert first["ids"]["patient_id"] == f"p{first['row'] - 1:04d}"
    assert {"benign", "malignant"} <= set(first["labels"].values())
