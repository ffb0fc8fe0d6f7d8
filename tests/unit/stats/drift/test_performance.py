"""Metrics from counts, their intervals, and verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from pawl.stats.drift.performance import (
    Confusion,
    Errors,
    estimate,
    judge,
    limit_from,
)
from pawl.stats.metrics import UndefinedMetricError
from pawl.stats.valuehist import LOG, index

SEEN = Confusion(tp=700, fp=150, fn=100, tn=1050)
TRUTH = np.repeat([1, 0, 1, 0], [700, 150, 100, 1050])
SAID = np.repeat([1, 1, 0, 0], [700, 150, 100, 1050])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param("accuracy", oracle.accuracy_score(TRUTH, SAID), id="accuracy"),
        pytest.param("precision", oracle.precision_score(TRUTH, SAID), id="precision"),
        pytest.param("recall", oracle.recall_score(TRUTH, SAID), id="recall"),
        pytest.param("f1", oracle.f1_score(TRUTH, SAID), id="f1"),
        pytest.param("fpr", 1 - oracle.recall_score(1 - TRUTH, 1 - SAID), id="fpr"),
    ],
)
def test_metrics_of_labels(metric: str, expected: float) -> None:
    found = estimate(metric, SEEN)
    assert found.value == pytest.approx(expected)
    assert found.lower < found.value < found.upper


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_metrics_of_numbers(metric: str) -> None:
    errors = np.abs(np.random.default_rng(1).normal(0, 2, 4000))
    bins = [index(error, LOG) for error in errors.tolist()]
    keys, counts = np.unique(bins, return_counts=True)
    histogram = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    seen = Errors.of(4000, float(errors.sum()), float((errors**2).sum()), histogram)
    assert seen.fourths == pytest.approx((errors**4).sum(), rel=0.01)
    found = estimate(metric, seen)
    expected = errors.mean() if metric == "mae" else np.sqrt((errors**2).mean())
    assert found.value == pytest.approx(expected)
    assert found.lower < found.value < found.upper


@pytest.mark.parametrize("metric", ["accuracy", "f1", "rmse"])
def test_intervals_hold_what_they_promise(metric: str) -> None:
    generator, held = np.random.default_rng(2), 0
    p = np.array([0.35, 0.075, 0.05, 0.525])
    truth = {"accuracy": 0.875, "f1": 0.7 / 0.825, "rmse": 2.0}[metric]
    for _ in range(400):
        if metric == "rmse":
            e = np.abs(generator.normal(0, 2, 500))
            seen: Confusion | Errors = Errors(500, e.sum(), (e**2).sum(), (e**4).sum())
        else:
            seen = Confusion(*generator.multinomial(500, p).tolist())
        found = estimate(metric, seen)
        held += found.lower <= truth <= found.upper
    assert 0.93 <= held / 400 <= 0.98


@pytest.mark.parametrize(
    ("metric", "limit", "verdict"),
    [
        pytest.param("accuracy", 0.8, "Pass", id="better than its least value"),
        pytest.param("accuracy", 0.95, "Fail", id="worse"),
        pytest.param("accuracy", 0.87, "Inconclusive", id="about there"),
        pytest.param("fpr", 0.2, "Pass", id="less than its largest value"),
        pytest.param("fpr", 0.05, "Fail", id="more"),
        pytest.param("fpr", 0.12, "Inconclusive", id="about its largest value"),
    ],
)
def test_verdicts(metric: str, limit: float, verdict: str) -> None:
    assert judge(metric, SEEN, limit).verdict == verdict


def test_bursts_make_it_harder_to_prove() -> None:
    assert judge("accuracy", SEEN, 0.85).verdict == "Pass"
    assert judge("accuracy", SEEN, 0.85, effect=10).verdict == "Inconclusive"


def test_few_rows_say_nothing() -> None:
    assert judge("accuracy", Confusion(tp=99), 0.5).verdict == "Inconclusive"
    assert judge("precision", Confusion(fn=1000), 0.5).estimate is None


@pytest.mark.parametrize(
    ("metric", "seen"),
    [
        pytest.param("recall", Confusion(tn=5), id="no positives"),
        pytest.param("mae", Errors(0, 0, 0, 0), id="no rows"),
    ],
)
def test_metrics_of_no_rows_do_not_exist(metric: str, seen: Confusion | Errors) -> None:
    with pytest.raises(UndefinedMetricError, match=metric):
        estimate(metric, seen)


def test_limits_relative_to_the_baseline() -> None:
    assert limit_from("accuracy", 0.9, 0.05) == pytest.approx(0.85)
    assert limit_from("rmse", 2.0, 0.5) == pytest.approx(2.5)
