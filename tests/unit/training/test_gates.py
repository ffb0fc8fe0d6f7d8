"""Verdicts: three ways, by a paired interval, told with how much and on how many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawl.api.evaluation import Gate
from pawl.errors import UserError
from pawl.stats.intervals import Estimate
from pawl.stats.metrics import Answers
from pawl.training.gates import Rival, bound, champion, decide, dummy, not_comparable


def _gate(**fields: Any) -> Gate:
    return Gate.model_validate(fields)


def _numbers(n: int, error: float, seed: int = 0) -> tuple[Any, Answers]:
    truth = np.linspace(0, 10, n)
    noise = np.random.default_rng(seed).normal(0, error, n)
    return truth, Answers(values=truth + noise)


@pytest.mark.parametrize(
    ("lower", "upper", "margin", "verdict"),
    [
        (-0.005, 0.02, 0.01, "Pass"),
        (-0.02, 0.02, 0.01, "Inconclusive"),
        (-0.05, -0.02, 0.01, "Fail"),
        (-0.05, -0.005, 0.01, "Inconclusive"),
        (-0.01, 0.0, 0.01, "Inconclusive"),
        (0.001, 0.002, 0.0, "Pass"),
    ],
)
def test_the_interval_decides(lower: float, upper: float, margin: float, verdict: str) -> None:
    estimate = Estimate((lower + upper) / 2, lower, upper, 500)
    assert decide(estimate, margin) == verdict


@pytest.mark.parametrize(
    ("gate", "verdict", "said"),
    [
        ({"metric": "rmse", "max": 0.6}, "Pass", "below the limit max 0.6"),
        ({"metric": "rmse", "max": 0.4}, "Fail", "above the limit max 0.4"),
        ({"metric": "r2", "min": 0.9}, "Pass", "above the limit min 0.9"),
        ({"metric": "r2", "min": 0.999}, "Fail", "below the limit min 0.999"),
    ],
    ids=str,
)
def test_bounds_go_by_the_value_and_tell_the_interval(
    gate: dict[str, Any], verdict: str, said: str
) -> None:
    truth, model = _numbers(300, 0.5)
    result = bound(_gate(**gate), truth, model, seed=1)
    assert result.verdict == verdict
    assert said in result.message
    assert result.interval is not None
    assert result.value is not None
    assert result.interval[0] <= result.value <= result.interval[1]
    assert result.n == 300


def test_a_metric_that_does_not_exist_here_is_inconclusive() -> None:
    truth = np.ones(50, dtype=np.int64)
    said = Answers(labels=truth, scores=np.full((50, 2), 0.5))
    result = bound(_gate(metric="roc_auc", min=0.8), truth, said, seed=1)
    assert (result.verdict, result.value) == ("Inconclusive", None)


def _against(metric: str, candidate: float, rival: float, n: int = 400) -> Any:
    truth, mine = _numbers(n, candidate)
    _, other = _numbers(n, rival, seed=9)
    gate = _gate(metric=metric, champion={"notWorseBy": 0.05})
    assert gate.champion is not None
    return champion(gate, gate.champion, Rival(truth, mine, other, 12), "churn-v3", seed=1)


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_better_is_better_whatever_the_direction(metric: str) -> None:
    better, worse = _against(metric, 0.2, 1.5), _against(metric, 1.5, 0.2)
    assert (better.verdict, better.value > 0) == ("Pass", True)
    assert (worse.verdict, worse.value < 0) == ("Fail", True)
    assert f"{metric} is" in worse.message
    assert "worse than that of churn-v3" in worse.message


def test_too_close_is_inconclusive() -> None:
    result = _against("rmse", 1.0, 1.0)
    assert result.verdict == "Inconclusive"
    assert "too close to tell" in result.message


def test_too_few_rows_are_inconclusive() -> None:
    result = _against("rmse", 0.2, 1.5, n=99)
    assert (result.verdict, result.n, result.value) == ("Inconclusive", 99, None)
    assert "99 test rows are left that churn-v3 was not trained on (12 left out), 100" in (
        result.message
    )


def test_equal_models_are_not_shown_to_be_better_than_a_dummy() -> None:
    truth, model = _numbers(200, 1.0)
    result = dummy("regression", ("rmse",), Rival(truth, model, model), seed=1)
    assert (result.verdict, result.required, result.kind) == ("Inconclusive", True, "dummy")


def test_a_dummy_is_met_in_a_metric_that_it_cannot_win() -> None:
    """Answering always yes has recall 1: the usual metric of the task is taken instead."""
    truth = np.tile([0, 1], 100)
    p = np.where(truth == 1, 0.8, 0.3) + np.random.default_rng(0).normal(0, 0.05, 200)
    good = Answers(labels=(p > 0.5).astype(np.int64), scores=np.column_stack([1 - p, p]))
    flat = Answers(labels=np.ones(200, dtype=np.int64), scores=np.full((200, 2), 0.5))
    result = dummy("binary", ("recall",), Rival(truth, good, flat), seed=1)
    assert (result.metric, result.verdict) == ("roc_auc", "Pass")


def test_a_champion_that_cannot_be_scored_is_an_error() -> None:
    gate = _gate(metric="rmse", champion={"notWorseBy": 0.05}, required=False)
    assert gate.champion is not None
    result = not_comparable(gate, gate.champion, UserError("it needs column x"))
    assert (result.verdict, result.required) == ("Error", False)
    assert result.message == "the champion cannot be compared: it needs column x"
