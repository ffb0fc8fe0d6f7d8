"""The metrics are scikit-learn's, number for number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn import metrics as oracle

from pawl.api.metrics import METRICS, metrics_for
from pawl.stats.metrics import Answers, UndefinedMetricError, compute, midranks, roc_auc

BINARY = {
    "accuracy": lambda t, a: oracle.accuracy_score(t, a.labels),
    "balanced_accuracy": lambda t, a: oracle.balanced_accuracy_score(t, a.labels),
    "precision": lambda t, a: oracle.precision_score(t, a.labels, zero_division=0),
    "recall": lambda t, a: oracle.recall_score(t, a.labels),
    "f1": lambda t, a: oracle.f1_score(t, a.labels),
    "matthews_corrcoef": lambda t, a: oracle.matthews_corrcoef(t, a.labels),
    "roc_auc": lambda t, a: oracle.roc_auc_score(t, a.scores[:, 1]),
    "average_precision": lambda t, a: oracle.average_precision_score(t, a.scores[:, 1]),
    "log_loss": lambda t, a: oracle.log_loss(t, a.scores),
    "brier_score": lambda t, a: oracle.brier_score_loss(t, a.scores[:, 1]),
}
MULTICLASS = {
    "accuracy": lambda t, a: oracle.accuracy_score(t, a.labels),
    "balanced_accuracy": lambda t, a: oracle.balanced_accuracy_score(t, a.labels),
    "matthews_corrcoef": lambda t, a: oracle.matthews_corrcoef(t, a.labels),
    "precision_macro": lambda t, a: oracle.precision_score(
        t, a.labels, average="macro", zero_division=0
    ),
    "recall_macro": lambda t, a: oracle.recall_score(t, a.labels, average="macro"),
    "f1_macro": lambda t, a: oracle.f1_score(t, a.labels, average="macro"),
    "f1_weighted": lambda t, a: oracle.f1_score(t, a.labels, average="weighted"),
    "roc_auc_ovr": lambda t, a: oracle.roc_auc_score(t, a.scores, multi_class="ovr"),
    "log_loss": lambda t, a: oracle.log_loss(t, a.scores),
}
REGRESSION = {
    "rmse": lambda t, a: oracle.root_mean_squared_error(t, a.values),
    "mae": lambda t, a: oracle.mean_absolute_error(t, a.values),
    "median_absolute_error": lambda t, a: oracle.median_absolute_error(t, a.values),
    "max_error": lambda t, a: oracle.max_error(t, a.values),
    "mape": lambda t, a: oracle.mean_absolute_percentage_error(t, a.values),
    "r2": lambda t, a: oracle.r2_score(t, a.values),
}


def _classification(classes: int, seed: int) -> tuple[Any, Answers]:
    generator = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), generator.integers(0, classes, 300)])
    raw = generator.random((len(truth), classes)).round(1) + 0.1  # rounded: ties
    raw[np.arange(len(truth)), truth] += 0.3
    scores = raw / raw.sum(axis=1, keepdims=True)
    labels = scores.argmax(axis=1)
    return truth, Answers(labels=labels, scores=scores)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("seed", range(3))
def test_binary_metrics_are_scikit_learns(name: str, seed: int) -> None:
    truth, said = _classification(2, seed)
    assert compute(name, truth, said) == pytest.approx(BINARY[name](truth, said), abs=1e-12)


@pytest.mark.parametrize("name", MULTICLASS)
@pytest.mark.parametrize("seed", range(3))
def test_multiclass_metrics_are_scikit_learns(name: str, seed: int) -> None:
    truth, said = _classification(4, seed)
    assert compute(name, truth, said) == pytest.approx(MULTICLASS[name](truth, said), abs=1e-12)


@pytest.mark.parametrize("name", REGRESSION)
def test_regression_metrics_are_scikit_learns(name: str) -> None:
    generator = np.random.default_rng(5)
    truth = generator.normal(3, 2, 200)
    said = Answers(values=truth + generator.normal(0, 1, 200))
    assert compute(name, truth, said) == pytest.approx(REGRESSION[name](truth, said))


@pytest.mark.parametrize(
    ("task", "oracles"),
    [("binary", BINARY), ("multiclass", MULTICLASS), ("regression", REGRESSION)],
)
def test_every_metric_of_the_api_is_defined_and_checked(task: Any, oracles: Any) -> None:
    assert set(metrics_for(task)) == set(oracles)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_direction_of_a_metric_is_right(name: str) -> None:
    """Perfect answers are never worse than bad ones."""
    metric = METRICS[name]
    if "regression" in metric.tasks:
        truth: Any = np.array([1.0, 2.0, 3.0, 4.0])
        right, wrong = Answers(values=truth), Answers(values=truth[::-1].copy())
    else:
        truth = np.array([0, 1, 0, 1])
        scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])
        right = Answers(labels=scores.argmax(axis=1), scores=scores)
        wrong = Answers(labels=1 - scores.argmax(axis=1), scores=scores[:, ::-1])
    assert metric.better(compute(name, truth, right), compute(name, truth, wrong))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50))
def test_midranks_are_scipys(values: list[float]) -> None:
    assert midranks(np.array(values)).tolist() == rankdata(values).tolist()


@pytest.mark.parametrize(
    ("name", "truth"),
    [("roc_auc", [1, 1]), ("average_precision", [0, 0]), ("roc_auc_ovr", [0, 0])],
)
def test_a_metric_of_one_class_is_undefined(name: str, truth: list[int]) -> None:
    scores = np.full((2, 2), 0.5)
    with pytest.raises(UndefinedMetricError):
        compute(name, np.array(truth), Answers(labels=np.array([0, 1]), scores=scores))


def test_a_metric_of_no_rows_is_undefined() -> None:
    with pytest.raises(UndefinedMetricError):
        compute("accuracy", np.empty(0), Answers(labels=np.empty(0, dtype=np.int64)))


def test_auc_counts_ties_half() -> None:
    assert roc_auc(np.array([True, False]), np.array([0.3, 0.3])) == 0.5
