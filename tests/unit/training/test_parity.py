"""When two engines count as the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawl.training.features import Matrix
from pawl.training.parity import MOST_ALTERED, MOST_ROWS, UNSEEN, check, sample


class Fixed:
    """Answers what it was given."""

    def __init__(self, scores: Any) -> None:
        self._scores = np.asarray(scores, dtype=np.float64)

    def scores(self, features: Matrix) -> Any:
        return self._scores


def _rows(n: int) -> Matrix:
    return Matrix(np.zeros((n, 1)), np.empty((n, 0), dtype=object), ("x",), ())


def _binary(*p: float) -> Fixed:
    return Fixed([[1 - value, value] for value in p])


@pytest.mark.parametrize(
    ("expected", "found", "threshold", "holds", "flips"),
    [
        pytest.param(_binary(0.2, 0.9), _binary(0.2, 0.9), 0.5, True, 0, id="equal"),
        pytest.param(_binary(0.2), _binary(0.200009), 0.5, True, 0, id="close"),
        pytest.param(_binary(0.2), _binary(0.20002), 0.5, False, 0, id="too far"),
        pytest.param(_binary(0.499995), _binary(0.500004), 0.5, False, 1, id="flipped"),
        pytest.param(_binary(0.5), _binary(0.4999995), 0.5, True, 0, id="an undecided vote"),
        pytest.param(_binary(0.2), _binary(float("nan")), 0.5, False, 0, id="missing answer"),
        pytest.param(
            _binary(float("nan")), _binary(float("nan")), 0.5, True, 0, id="both have none"
        ),
    ],
)
def test_probabilities_must_agree(
    expected: Fixed, found: Fixed, threshold: float, holds: bool, flips: int
) -> None:
    parity = check(expected, found, _rows(1), "binary", threshold)
    assert (parity.holds, parity.flips) == (holds, flips)


@pytest.mark.parametrize(
    ("expected", "found", "holds"),
    [
        pytest.param([1e6, 1.0], [1e6 + 5, 1.0], True, id="relative"),
        pytest.param([1e6, 1.0], [1e6 + 50, 1.0], False, id="too far"),
        pytest.param([1e6, 0.0], [1e6, 1.0], True, id="near zero, small beside the others"),
        pytest.param([0.0, 0.0], [0.0, 1e-4], False, id="all zero"),
    ],
)
def test_numbers_must_agree_relatively(expected: Any, found: Any, holds: bool) -> None:
    assert check(Fixed(expected), Fixed(found), _rows(2), "regression", None).holds == holds


def test_a_multiclass_tie_is_no_flip_but_a_change_of_mind_is() -> None:
    tied = check(
        Fixed([[0.5, 0.5, 0.0]]), Fixed([[0.4999995, 0.5, 0.0]]), _rows(1), "multiclass", None
    )
    flipped = check(
        Fixed([[0.500004, 0.499996, 0.0]]),
        Fixed([[0.499996, 0.500004, 0.0]]),
        _rows(1),
        "multiclass",
        None,
    )
    assert (tied.flips, flipped.flips) == (0, 1)
    assert flipped.sentence("multiclass") == (
        "ONNX does not answer like the pipeline (largest difference in probability 8.0e-06, "
        "1 labels flipped, 1 rows)"
    )


def test_the_sample_has_missing_unseen_and_far_values() -> None:
    generator = np.random.default_rng(0)
    rows = Matrix(
        generator.normal(size=(500, 3)),
        generator.choice(["a", "b"], (500, 2)).astype(object),
        ("x", "y", "z"),
        ("c", "d"),
    )
    found = sample([rows.take(np.arange(300)), rows.take(np.arange(300, 500))], 7)
    assert len(found) == 1000
    assert np.array_equal(found.numeric[:500], rows.numeric)
    altered = found.take(np.arange(500, 1000))
    assert np.isnan(altered.numeric).any()
    assert {"", UNSEEN} <= set(altered.categorical.ravel().tolist())
    assert np.nanmax(np.abs(altered.numeric)) > 5 * np.abs(rows.numeric).max()
    assert np.isnan(altered.numeric[0]).all()
    again = sample([rows], 7)
    assert np.array_equal(again.numeric, found.numeric, equal_nan=True)


def test_the_sample_is_bounded() -> None:
    assert len(sample([_rows(MOST_ROWS + 10)], 0)) == MOST_ROWS + MOST_ALTERED
