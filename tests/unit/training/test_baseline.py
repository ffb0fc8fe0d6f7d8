"""Baselines count what was there."""

from __future__ import annotations

import numpy as np

from pawl.artifacts.records import CategoryBaseline, NumericBaseline
from pawl.stats.metrics import Answers
from pawl.training.baseline import build
from pawl.training.features import Matrix

N = 1000
RNG = np.random.default_rng(0)
TRAIN = Matrix(
    np.column_stack(
        [np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)), RNG.integers(0, 2, N)]
    ),
    RNG.choice(["a", "b", ""], (N, 1)).astype(object),
    ("x", "flag"),
    ("c",),
)


def test_features_are_binned_and_missing_values_counted() -> None:
    p = RNG.random(200)
    said = Answers(labels=(p > 0.5).astype(np.int64), scores=np.column_stack([1 - p, p]))
    found = build(TRAIN, said, "binary", ("no", "yes"))
    x, flag = found.numeric
    assert len(x.counts) == len(x.edges) + 1 == 10
    assert len(x.fine_counts) == len(x.fine_sums) == len(x.fine_edges) + 1 >= 64
    assert sum(x.counts) + x.missing == sum(x.fine_counts) + x.missing == N
    assert np.isclose(sum(x.fine_sums), np.nansum(TRAIN.numeric[:, 0]))
    assert (flag.edges, len(flag.counts)) == ((0.0,), 2)
    (c,) = found.categorical
    assert set(c.categories) == {"a", "b"}
    assert sum(c.counts) + c.missing == N
    assert isinstance(found.prediction, NumericBaseline)
    assert (found.rows, found.prediction_rows, sum(found.prediction.counts)) == (N, 200, 200)


def test_the_prediction_of_many_classes_is_a_table() -> None:
    scores = np.eye(3)[[0, 2, 2, 2]]
    said = Answers(labels=np.array([0, 2, 2, 2]), scores=scores)
    found = build(TRAIN, said, "multiclass", (False, 1, "many")).prediction
    assert isinstance(found, CategoryBaseline)
    assert (found.categories, found.counts) == (("false", "1", "many"), (1, 0, 3))


def test_the_prediction_of_numbers_is_binned() -> None:
    found = build(TRAIN, Answers(values=np.arange(100.0)), "regression", ()).prediction
    assert isinstance(found, NumericBaseline)
    assert (found.minimum, found.maximum, sum(found.counts)) == (0.0, 99.0, 100)
