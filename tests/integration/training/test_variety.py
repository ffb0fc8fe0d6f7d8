"""Other tasks, formats, splits and engines on the same road."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.bundle import fetch_bundle
from pawl.artifacts.records import Baseline, CategoryBaseline, NumericBaseline, Signature
from pawl.artifacts.runs import RunResult

N = 900


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made up: mixed columns with gaps, dates, a proxy, a group and weights. csv in three files."""
    g = np.random.default_rng(4)
    plan = g.choice(["basic", "pro", "gold", ""], N, p=[0.5, 0.3, 0.1, 0.1])
    tenure, monthly = g.integers(0, 60, N), g.gamma(3, 12, N).round(2)
    gender = g.choice(["f", "m"], N)
    height = np.where(gender == "f", 165, 179) + g.normal(0, 4, N)
    risk = 1.5 * (plan == "basic") - tenure / 20 + monthly / 30 + g.normal(0, 0.7, N)
    rows = [
        {
            "customer": f"c{i:05d}",
            "household": f"h{i // 3}",
            "signup": f"2026-{1 + i * 11 // N:02d}-{1 + i % 28:02d}T08:00:00Z",
            "plan": plan[i],
            "tenure": "" if i % 17 == 0 else int(tenure[i]),
            "monthly": monthly[i],
            "paperless": "" if i % 23 == 0 else str(bool(i % 2)).lower(),
            "gender": gender[i],
            "height": round(height[i], 1),
            "weight": 1 + i % 3,
            "churned": str(bool(risk[i] > 0)).lower(),
            "segment": ["low", "middle", "high"][int(np.digitize(risk[i], [-1, 1]))],
            "spend": round(float(20 + 5 * risk[i]), 3),
        }
        for i in range(N)
    ]
    folder = tmp_path_factory.mktemp("customers")
    for part in range(3):
        with (folder / f"part-{part}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows[part::3])
    return folder


@pytest.fixture
def spec(customers: Path) -> dict[str, Any]:
    return {
        "model": "customers",
        "data": {
            "uri": customers.as_uri(),
            "task": "binary",
            "target": "churned",
            "features": ["plan", "tenure", "monthly", "paperless", "height"],
            "idColumns": ["customer"],
            "sensitive": ["gender"],
        },
        "trainer": {"sklearn": {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}},
        "seed": 1,
    }


def _bundle(result: RunResult, tmp_path: Path) -> Path:
    into = tmp_path / "bundle"
    fetch_bundle(result.artifact.uri, result.artifact.digest, into)
    return into


def test_mixed_columns_with_gaps_are_served_by_onnx(
    spec: dict[str, Any], pod: Any, tmp_path: Path
) -> None:
    result = pod(spec).all()
    assert result.format == "onnx"
    assert result.metrics["roc_auc"] > 0.8
    signature = Signature.model_validate_json(
        (_bundle(result, tmp_path) / "signature.json").read_bytes()
    )
    assert [(t.name, t.datatype) for t in signature.inputs] == [
        ("tenure", "FP64"),
        ("monthly", "FP64"),
        ("paperless", "BOOL"),
        ("height", "FP64"),
        ("plan", "BYTES"),
    ]
    assert signature.classes == (False, True)
    assert any('sensitive column "gender" can be predicted' in w for w in result.warnings)


def test_a_threshold_is_chosen_on_validation_rows_and_recorded(
    spec: dict[str, Any], pod: Any
) -> None:
    spec["evaluation"] = {"metrics": ["f1", "recall"], "threshold": {"maximize": "f1"}}
    result = pod(spec).all()
    threshold = result.signature.threshold
    assert threshold is not None
    assert threshold != 0.5
    plain = pod({**spec, "evaluation": {"metrics": ["f1", "recall"]}}, uid="plain").all()
    assert plain.signature.threshold == 0.5
    assert plain.metrics["recall"] != result.metrics["recall"]


def test_many_classes(spec: dict[str, Any], pod: Any, tmp_path: Path) -> None:
    spec["data"] |= {"task": "multiclass", "target": "segment"}
    spec["trainer"]["sklearn"]["estimator"] = "sklearn.linear_model.LogisticRegression"
    spec["evaluation"] = {
        "metrics": ["roc_auc_ovr", "f1_macro"],
        "gates": [{"metric": "balanced_accuracy", "min": 0.4}],
    }
    result = pod(spec).all()
    assert result.format == "onnx"
    assert list(result.metrics) == ["balanced_accuracy", "f1_macro", "roc_auc_ovr"]
    assert [gate.verdict for gate in result.gates] == ["Pass", "Pass"]
    baseline = Baseline.model_validate_json(
        (_bundle(result, tmp_path) / "baseline.json").read_bytes()
    )
    assert isinstance(baseline.prediction, CategoryBaseline)
    assert baseline.prediction.categories == ("high", "low", "middle")
    assert baseline.prediction_rows == result.lineage.data.test_rows
    assert baseline.rows == result.lineage.data.train_rows


@pytest.mark.parametrize(
    "estimator",
    ["sklearn.ensemble.HistGradientBoostingRegressor", "sklearn.linear_model.Ridge"],
)
def test_numbers(spec: dict[str, Any], pod: Any, tmp_path: Path, estimator: str) -> None:
    spec["data"] |= {"task": "regression", "target": "spend"}
    spec["trainer"]["sklearn"]["estimator"] = estimator
    spec["evaluation"] = {"gates": [{"metric": "rmse", "max": 6.0}]}
    result = pod(spec).all()
    assert result.format == "onnx"
    assert result.metrics["r2"] > 0.5
    assert result.signature.threshold is None
    baseline = Baseline.model_validate_json(
        (_bundle(result, tmp_path) / "baseline.json").read_bytes()
    )
    assert isinstance(baseline.prediction, NumericBaseline)


def test_what_onnx_cannot_do_is_served_by_scikit_learn_and_says_why(
    spec: dict[str, Any], pod: Any, tmp_path: Path
) -> None:
    spec["trainer"]["sklearn"]["estimator"] = "sklearn.gaussian_process.GaussianProcessClassifier"
    result = pod(spec).all()
    assert result.format == "skops"
    assert any(
        w.startswith("served by scikit-learn (server-sklearn image): ") for w in result.warnings
    )
    assert sorted(p.name for p in _bundle(result, tmp_path).glob("model.*")) == ["model.skops"]


def test_an_id_that_is_left_among_the_features_is_noticed(spec: dict[str, Any], pod: Any) -> None:
    spec["data"]["features"].append("customer")
    spec["data"]["idColumns"] = ["household"]
    mine = pod(spec)
    mine.stage("prepare")
    assert any('feature "customer" is different in 100%' in w for w in mine.termination.warnings)


def test_dates_are_left_out_unless_asked_for(spec: dict[str, Any], pod: Any) -> None:
    del spec["data"]["features"]
    spec["data"]["ignore"] = ["household", "segment", "spend", "weight"]
    mine = pod(spec)
    mine.stage("prepare")
    assert 'column "signup" is a date: left out of the features' in mine.termination.warnings


@pytest.mark.parametrize(
    "split",
    [
        {"groupColumn": "household", "split": {"strategy": "group"}},
        {"timeColumn": "signup", "split": {"strategy": "time"}},
    ],
    ids=["group", "time"],
)
def test_other_splits(spec: dict[str, Any], pod: Any, split: dict[str, Any]) -> None:
    spec["data"] |= split
    result = pod(spec).all()
    data = result.lineage.data
    assert data.train_rows + data.validation_rows + data.test_rows == data.rows == N
    assert 0.1 < data.test_rows / data.rows < 0.3


def test_weights_weigh(spec: dict[str, Any], pod: Any) -> None:
    spec["trainer"]["sklearn"]["estimator"] = "sklearn.linear_model.LogisticRegression"
    plain = pod(spec).all()
    spec["data"]["weightColumn"] = "weight"
    weighed = pod(spec, uid="weighed").all()
    assert plain.metrics["log_loss"] != weighed.metrics["log_loss"]
    spec["trainer"]["sklearn"]["estimator"] = "sklearn.neighbors.KNeighborsClassifier"
    refused = pod(spec, uid="refused")
    refused.stage("prepare")
    refused.stage("train", expect=10)
    assert "takes no weights" in refused.termination.message


def test_more_rows_of_the_same_data_move_none(
    spec: dict[str, Any], pod: Any, tmp_path: Path
) -> None:
    """The test rows of a version stay out of the training rows of every later one."""
    early = tmp_path / "early"
    early.mkdir()
    source = Path(spec["data"]["uri"].removeprefix("file://"))
    (early / "part-0.csv").write_bytes((source / "part-0.csv").read_bytes())
    first = pod({**spec, "data": {**spec["data"], "uri": early.as_uri()}})
    first.stage("prepare")
    second = pod(spec)
    second.stage("prepare")
    test = pq.read_table(first.work / "held-out/test.parquet").column("customer").to_pylist()
    later = pq.read_table(second.work / "held-out/test.parquet").column("customer").to_pylist()
    assert set(test) <= set(later)
    assert len(later) > len(test)


def test_the_trainer_sees_only_what_the_contract_promises(spec: dict[str, Any], pod: Any) -> None:
    spec["data"]["weightColumn"] = "weight"
    mine = pod(spec)
    mine.stage("prepare")
    for part in ("train", "validation"):
        schema = pq.read_schema(mine.work / f"data/{part}.parquet")
        assert dict(zip(schema.names, schema.types, strict=True)) == {
            "tenure": pa.float64(),
            "monthly": pa.float64(),
            "paperless": pa.float64(),
            "height": pa.float64(),
            "plan": pa.string(),
            "churned": pa.int64(),
            "weight": pa.float64(),
        }
    assert sorted(p.name for p in (mine.work / "data").iterdir()) == [
        "schema.json",
        "train.parquet",
        "validation.parquet",
    ]
