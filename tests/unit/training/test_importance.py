"""Permutation importance: of what the model goes by, the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from pawl.stats.metrics import Answers
from pawl.training.features import Matrix
from pawl.training.importance import importances

RNG = np.random.default_rng(1)
N = 400
NUMBERS = RNG.normal(size=(N, 2))
PLANS = np.array(["basic", "pro"], dtype=object)[RNG.integers(0, 2, N)]
ROWS = Matrix(NUMBERS, PLANS[:, None], ("used", "ignored"), ("plan",))
TRUTH = (NUMBERS[:, 0] + (PLANS == "pro") > 0.5).astype(np.int64)


def said(rows: Matrix) -> Answers:
    """Knows the rule: `used` and `plan` decide."""
    positive = 1 / (1 + np.exp(-4 * (rows.numeric[:, 0] + (rows.categorical[:, 0] == "pro") - 0.5)))
    scores = np.column_stack([1 - positive, positive])
    return Answers(labels=(positive > 0.5).astype(np.int64), scores=scores)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy"])
def test_what_decides_comes_first_and_what_is_ignored_counts_nothing(metric: str):
    first, second, third = importances(metric, ROWS, TRUTH, said, seed=7)
    assert (first.feature, second.feature) == ("used", "plan")
    assert first.drop > second.drop > 0
    assert (third.feature, third.drop, third.spread) == ("ignored", 0.0, 0.0)


def test_the_same_seed_gives_the_same_numbers():
    again = importances("log_loss", ROWS, TRUTH, said, seed=7)
    assert again == importances("log_loss", ROWS, TRUTH, said, seed=7)
    assert again != importances("log_loss", ROWS, TRUTH, said, seed=8)


def test_the_rows_stay_as_they_are():
    before = NUMBERS.copy(), PLANS.copy()
    importances("log_loss", ROWS, TRUTH, said, seed=7)
    assert np.array_equal(before[0], ROWS.numeric)
    assert np.array_equal(before[1], ROWS.categorical[:, 0])


def test_nothing_is_told_where_the_metric_is_not_defined():
    assert importances("roc_auc", ROWS, np.ones(N, dtype=np.int64), said, seed=7) == ()
