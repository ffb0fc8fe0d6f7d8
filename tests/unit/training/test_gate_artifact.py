"""Gates on calibration, size and latency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pawl.api.evaluation import Gate
from pawl.artifacts.records import Proxy
from pawl.stats.metrics import Answers, Floats
from pawl.training.artifact import Choice, Served
from pawl.training.features import Matrix
from pawl.training.gate_artifact import calibrated, latency, percentile, proxy, size
from pawl.training.workspace import Workspace


class Counting:
    """A model that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def scores(self, features: Matrix) -> Floats:
        self.asked.append(features.numeric[:, 0].tolist())
        return np.zeros(len(features))


def served(format_: Any = "onnx") -> tuple[Served, Counting]:
    engine = Counting()
    return Served(engine, Choice(format=format_, threshold=None), ()), engine


@pytest.mark.parametrize(
    ("off", "n", "verdict"),
    [
        pytest.param(0.0, 3000, "Pass", id="calibrated"),
        pytest.param(0.15, 3000, "Fail", id="not calibrated"),
        pytest.param(0.04, 400, "Inconclusive", id="too few rows to say"),
        pytest.param(0.0, 100, "Inconclusive", id="so few that it does not exist"),
    ],
)
def test_calibration(off: float, n: int, verdict: str) -> None:
    generator = np.random.default_rng(0)
    p = generator.uniform(0, 0.8, n)
    truth = (generator.random(n) < p).astype(np.int64)
    said = Answers(scores=np.column_stack([1 - p - off, p + off]))
    result = calibrated(Gate.model_validate({"calibration": {"max": 0.05}}), truth, said, 1)
    assert (result.verdict, result.metric) == (verdict, "calibration_error")
    assert n == 100 or "Brier score" in result.message


@pytest.mark.parametrize(
    ("limit", "verdict"), [(0.9, "Pass"), (0.85, "Pass"), (0.8, "Inconclusive"), (0.7, "Fail")]
)
def test_a_proxy_goes_by_its_interval(limit: float, verdict: str) -> None:
    found = Proxy(
        column="gender",
        measure="roc_auc",
        value="f",
        estimate=0.8,
        interval=(0.75, 0.85),
        rows=900,
    )
    gate = Gate.model_validate({"proxy": {"column": "gender", "max": limit}})
    result = proxy(gate, found)
    assert (result.verdict, result.value, result.n, result.column) == (verdict, 0.8, 900, "gender")
    assert "AUC of f 0.80, 95 % interval 0.75 to 0.85, 900 rows" in result.message


def test_a_column_that_cannot_be_judged_is_inconclusive() -> None:
    result = proxy(Gate.model_validate({"proxy": {"column": "gender", "max": 0.7}}), None)
    assert (result.verdict, result.value) == ("Inconclusive", None)


@pytest.mark.parametrize(("limit", "verdict"), [(1000, "Pass"), (999, "Fail")])
@pytest.mark.parametrize(("format_", "name"), [("onnx", "model.onnx"), ("skops", "model.skops")])
def test_the_size_is_that_of_the_file_that_is_served(
    limit: int, verdict: str, format_: str, name: str, tmp_path: Path
) -> None:
    work = Workspace(tmp_path)
    work.fresh()
    (work.output / name).write_bytes(bytes(1000))
    gate = Gate.model_validate({"sizeBytes": {"max": limit}})
    result = size(gate, served(format_)[0], work)
    assert (result.verdict, result.value) == (verdict, 1000)
    assert result.message == f"{name} has 1,000 bytes (maximum {limit:,})"


@pytest.mark.parametrize(("limit", "verdict"), [(60_000, "Pass"), (1e-9, "Fail")])
def test_latency_is_measured_in_batches_of_test_rows(
    limit: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pawl.training.gate_artifact._SECONDS", 0.0)
    model, engine = served()
    rows = Matrix(np.arange(5.0)[:, None], np.empty((5, 0), dtype=object), ("x",), ())
    gate = Gate.model_validate({"latencyMillis": {"max": limit, "batch": 3}})
    result = latency(gate, model, rows)
    assert (result.verdict, result.n) == (verdict, 20)
    assert engine.asked[:2] == [[0, 1, 2], [3, 4, 0]]
    assert len(engine.asked) == 30  # ten to warm up


def test_the_percentile_is_an_order_statistic_with_its_interval() -> None:
    found = percentile([float(i) for i in range(1, 1001)])
    assert (found.value, found.n) == (950, 1000)
    assert (found.lower, found.upper) == (937, 964)
    assert percentile([1.0] * 20).upper == 1.0
