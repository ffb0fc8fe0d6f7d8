"""A limit for every slice: it fails when one is proved to be beyond it, however many there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawl.stats.metrics import Answers
from pawl.stats.slices import Slice, about, bounded, compared, judge


def labels(n: int, right: int) -> tuple[Any, Answers]:
    """All rows are positive, and `right` of them are found."""
    said = np.zeros(n, dtype=np.int64)
    said[:right] = 1
    return np.ones(n, dtype=np.int64), Answers(labels=said)


def recall(name: str, n: int, right: int, limit: float = 0.6) -> Slice:
    truth, said = labels(n, right)
    return bounded(name, "recall", truth, said, limit, least=True, seed=1)


@pytest.mark.parametrize(
    ("slices", "verdict"),
    [
        pytest.param([(200, 150), (200, 130)], "Pass", id="all hold by their value"),
        pytest.param([(200, 150), (200, 60)], "Fail", id="one is proved to be below"),
        pytest.param([(200, 150), (200, 115)], "Inconclusive", id="one is below by chance perhaps"),
        pytest.param([(200, 106)], "Fail", id="alone it is proved"),
        pytest.param([(200, 106), *[(200, 150)] * 5], "Inconclusive", id="among six it is not"),
        pytest.param([], "Inconclusive", id="none"),
    ],
)
def test_the_verdict(slices: list[tuple[int, int]], verdict: str) -> None:
    found, told = judge([recall(str(i), *counts) for i, counts in enumerate(slices)])
    assert found == verdict
    assert [part.slack for part in told] == sorted(part.slack for part in told)


def test_slices_at_the_limit_fail_in_five_per_cent_however_many_there_are() -> None:
    generator = np.random.default_rng(3)
    failed = plain = 0
    for _ in range(200):
        parts = [recall(str(i), 300, int(generator.binomial(300, 0.6))) for i in range(10)]
        failed += judge(parts)[0] == "Fail"
        plain += any(part.estimate.upper < 0.6 for part in parts)
    assert failed / 200 <= 0.05 < plain / 200


def test_a_rate_of_one_is_disproved_by_a_row() -> None:
    assert judge([recall("a", 100, 99, limit=1.0)])[0] == "Fail"


def test_rows_that_are_all_alike_prove_nothing_of_a_score() -> None:
    """Without a positive row the F1 is 0 in every resample."""
    truth = np.zeros(100, dtype=np.int64)
    part = bounded("a", "f1", truth, Answers(labels=truth), 0.5, least=True, seed=1)
    assert (part.p, part.holds) == (1.0, False)


def test_a_max_fails_above() -> None:
    truth = np.zeros(200)
    noise = np.random.default_rng(0).normal(0, 1, 200)
    parts = [
        bounded(str(limit), "rmse", truth, Answers(values=noise), limit, least=False, seed=1)
        for limit in (0.5, 2.0)
    ]
    assert [judge([part])[0] for part in parts] == ["Fail", "Pass"]


@pytest.mark.parametrize(
    ("mine", "other", "verdict"),
    [(0.2, 1.0, "Pass"), (1.0, 0.2, "Fail"), (1.0, 1.0, "Inconclusive")],
)
@pytest.mark.parametrize(("metric", "better"), [("rmse", False), ("r2", True)])
def test_a_comparison_is_turned_so_that_more_is_better(
    mine: float, other: float, verdict: str, metric: str, better: bool
) -> None:
    truth = np.linspace(0, 5, 300)
    noise = np.random.default_rng(0).normal(0, 1, (2, 300))
    a, b = Answers(values=truth + mine * noise[0]), Answers(values=truth + other * noise[1])
    part = compared("a", metric, truth, a, b, 0.01, better=better, seed=1)
    assert judge([part])[0] == verdict


@pytest.mark.parametrize(
    ("metric", "rows"), [("recall", 3), ("precision", 1), ("accuracy", 5), ("roc_auc", 5)]
)
def test_how_many_rows_a_metric_is_about(metric: str, rows: int) -> None:
    truth = np.array([1, 1, 1, 0, 0])
    first, second = (
        Answers(labels=np.array([1, 1, 0, 0, 0])),
        Answers(labels=np.array([1] + [0] * 4)),
    )
    assert about(metric, truth, first, second) == rows
