"""The threshold is the best on validation rows, and the nearest to 0.5 of equals."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.evaluation import Threshold
from pawl.stats.metrics import compute
from pawl.training.engines import answers
from pawl.training.threshold import choose


def _scores(p: Any) -> Any:
    p = np.asarray(p, dtype=np.float64)
    return np.column_stack([1 - p, p])


def test_the_default_is_a_half() -> None:
    assert choose(None, np.array([0, 1]), _scores([0.1, 0.2])) == 0.5


def test_a_given_value_is_taken() -> None:
    wanted = Threshold.model_validate({"value": 0.3})
    assert choose(wanted, np.array([0, 1]), _scores([0.1, 0.2])) == 0.3


def test_of_equals_the_nearest_to_a_half_is_taken() -> None:
    """Everything between 0.1 and 0.9 separates the classes."""
    wanted = Threshold.model_validate({"maximize": "f1"})
    chosen = choose(wanted, np.array([0, 0, 1, 1]), _scores([0.05, 0.1, 0.9, 0.95]))
    assert chosen == pytest.approx(0.5)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=4, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    ),
    st.sampled_from(["f1", "accuracy", "balanced_accuracy", "matthews_corrcoef"]),
)
def test_no_other_threshold_is_better(rows: list[tuple[bool, int]], metric: str) -> None:
    truth = np.array([int(label) for label, _ in rows])
    scores = _scores([(value + 0.5) / 21 for _, value in rows])
    chosen = choose(Threshold.model_validate({"maximize": metric}), truth, scores)
    best = compute(metric, truth, answers(scores, "binary", chosen))
    present = sorted({(value + 0.5) / 21 for _, value in rows})
    for low, high in pairwise(present):
        other = compute(metric, truth, answers(scores, "binary", (low + high) / 2))
        assert best >= other - 1e-12


def test_many_scores_are_tried_at_their_quantiles() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 20_000)
    p = 1 / (1 + np.exp(-(truth * 2 - 2 + generator.normal(0, 1, 20_000))))
    chosen = choose(Threshold.model_validate({"maximize": "accuracy"}), truth, _scores(p))
    assert chosen == pytest.approx(1 / (1 + np.exp(1)), abs=0.05)


@pytest.mark.parametrize("metric", ["recall", "precision", "roc_auc"])
def test_a_metric_that_is_best_at_an_end_cannot_be_maximized(metric: str) -> None:
    with pytest.raises(ValueError, match="recall and precision can be gates"):
        Threshold.model_validate({"maximize": metric})
