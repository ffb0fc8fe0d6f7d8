"""Do probabilities mean what they say?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from pawl.stats.calibration import brier, calibration, expected_error
from pawl.stats.metrics import Answers, UndefinedMetricError


def binary(n: int, off: float, seed: int = 0) -> tuple[Any, Answers]:
    """Probabilities that are too high by `off`."""
    generator = np.random.default_rng(seed)
    p = generator.uniform(0.1, 0.8, n)
    truth = (generator.random(n) < p).astype(np.int64)
    return truth, Answers(scores=np.column_stack([1 - p - off, p + off]))


def test_the_error_is_the_mean_gap_of_ten_bins_of_equal_size() -> None:
    p = np.repeat(np.arange(10) / 10, 7)
    hit = np.tile([1.0, 1, 1, 0, 0, 0, 0], 10)
    assert expected_error(p, hit) == pytest.approx(np.abs(np.arange(10) / 10 - 3 / 7).mean())


@pytest.mark.parametrize("off", [0.0, 0.1])
def test_the_interval_takes_off_the_noise_of_few_rows(off: float) -> None:
    plain, found = calibration(*binary(600, off), seed=1)
    assert found.value < plain
    assert found.lower <= found.value <= found.upper
    assert abs(found.value - off) < 0.03
    assert found.lower < 0.05 if off == 0 else found.lower > 0.05


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, said = binary(300, 0.0)
    assert calibration(truth, said, seed=1) == calibration(truth, said, seed=1)
    assert calibration(truth, said, seed=1) != calibration(truth, said, seed=2)


def test_of_several_classes_the_likeliest_answer_counts() -> None:
    """It says 0.7 and is right in 40 %."""
    n = 1000
    truth = np.where(np.random.default_rng(0).random(n) < 0.4, 2, 0)
    said = Answers(scores=np.tile([0.2, 0.1, 0.7], (n, 1)))
    plain, found = calibration(truth, said, seed=1)
    assert plain == pytest.approx(0.3, abs=0.05)
    assert found.lower < 0.3 < found.upper + 0.05


@pytest.mark.parametrize(
    ("n", "scores"),
    [pytest.param(199, True, id="too few rows"), pytest.param(300, False, id="no probabilities")],
)
def test_it_does_not_exist(n: int, scores: bool) -> None:
    truth, said = binary(n, 0.0)
    with pytest.raises(UndefinedMetricError):
        calibration(truth, said if scores else Answers(labels=truth), seed=1)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_brier_score_is_that_of_scikit_learn(classes: int) -> None:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(classes), 50)
    truth = generator.integers(0, classes, 50)
    wanted = brier_score_loss(truth, scores, labels=list(range(classes)))
    assert brier(truth, Answers(scores=scores)) == pytest.approx(wanted)
