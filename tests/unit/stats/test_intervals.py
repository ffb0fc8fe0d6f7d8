"""95 % intervals cover the truth 95 % of the time, and say the same twice."""

from __future__ import annotations

import numpy as np
import pytest

from pawl.stats.intervals import (
    Estimate,
    delong_covariance,
    metric_interval,
    paired_difference,
    resamples,
)
from pawl.stats.metrics import Answers, UndefinedMetricError, roc_auc


def _scores(p: np.ndarray) -> Answers:
    return Answers(labels=(p >= 0.5).astype(np.int64), scores=np.column_stack([1 - p, p]))


def test_delong_is_the_definition() -> None:
    """Against the O(mn) formula of DeLong et al. (1988), ties included."""
    generator = np.random.default_rng(3)
    positive = generator.random(60) < 0.4
    scores = generator.integers(0, 8, (60, 2)).astype(float)
    v10, v01 = [], []
    for k in range(2):
        x, y = scores[positive, k], scores[~positive, k]
        wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
        v10.append(wins.mean(axis=1))
        v01.append(wins.mean(axis=0))
    expected = np.cov(v10) / positive.sum() + np.cov(v01) / (~positive).sum()
    assert delong_covariance(positive, scores) == pytest.approx(expected)


def test_the_paired_auc_interval_covers_the_true_difference() -> None:
    """Two models with the same AUC by construction: 0 is inside in about 95 % of samples."""
    generator = np.random.default_rng(11)
    inside = 0
    for _ in range(400):
        truth = np.repeat([0, 1], 150)
        shared = truth + generator.normal(0, 1, 300)
        a, b = (shared + generator.normal(0, 0.7, 300) for _ in range(2))
        found = paired_difference("roc_auc", truth, _scores(a), _scores(b), seed=0)
        inside += found.lower <= 0 <= found.upper
    assert 0.92 <= inside / 400 <= 0.98


def test_the_bootstrap_interval_covers_the_true_accuracy() -> None:
    generator = np.random.default_rng(12)
    inside = 0
    for i in range(150):
        truth = np.ones(200, dtype=np.int64)
        labels = (generator.random(200) < 0.8).astype(np.int64)
        found = metric_interval("accuracy", truth, Answers(labels=labels), seed=i)
        inside += found.lower <= 0.8 <= found.upper
    assert inside / 150 >= 0.90


def test_the_difference_has_the_sign_of_the_better_one() -> None:
    truth = np.arange(300.0)
    good, bad = Answers(values=truth + 0.1), Answers(values=truth + 5.0)
    found = paired_difference("mae", truth, good, bad, seed=1)
    assert found == Estimate(pytest.approx(-4.9), pytest.approx(-4.9), pytest.approx(-4.9), 300)


def test_the_same_seed_gives_the_same_interval() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=120)
    said = Answers(values=truth + generator.normal(size=120))
    one, two, other = (metric_interval("rmse", truth, said, seed=s) for s in (1, 1, 2))
    assert one == two
    assert one != other


def test_a_single_auc_interval_stays_inside_the_unit_interval() -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1], 30)
    p = truth + generator.normal(0, 0.4, 60)
    found = metric_interval("roc_auc", truth, _scores(p), seed=0)
    assert 0 < found.lower < found.value == roc_auc(truth == 1, p) < found.upper < 1


def test_rows_of_one_class_have_no_interval() -> None:
    with pytest.raises(UndefinedMetricError):
        metric_interval("roc_auc", np.array([1, 1, 1]), _scores(np.array([0.1, 0.2, 0.3])), seed=0)


@pytest.mark.parametrize(("n", "count"), [(100, 2000), (100_000, 500), (10_000_000, 200)])
def test_large_samples_get_fewer_resamples(n: int, count: int) -> None:
    assert resamples(n) == count
