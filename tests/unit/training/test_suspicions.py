"""Warnings come when they should, and only then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawl.training.features import Matrix
from pawl.training.suspicions import identifiers, leaks

N = 400
RNG = np.random.default_rng(1)
TARGET = RNG.integers(0, 2, N)


def _numbers(**columns: Any) -> Matrix:
    values = np.column_stack([np.asarray(c, dtype=float) for c in columns.values()])
    return Matrix(values, np.empty((len(values), 0), dtype=object), tuple(columns), ())


def _texts(**columns: Any) -> Matrix:
    values = np.array(list(columns.values()), dtype=object).T
    return Matrix(np.empty((len(values), 0)), values, (), tuple(columns))


@pytest.mark.parametrize(
    ("features", "target", "classes"),
    [
        pytest.param(_numbers(x=TARGET + RNG.normal(0, 0.05, N)), TARGET, 2, id="number"),
        pytest.param(_numbers(x=-TARGET), TARGET, 2, id="falling number"),
        pytest.param(_numbers(x=np.where(TARGET == 1, np.nan, 3)), TARGET, 2, id="missingness"),
        pytest.param(_texts(x=[f"s{t}" for t in TARGET]), TARGET, 2, id="text"),
        pytest.param(_numbers(x=RNG.permutation(N) % 3), RNG.permutation(N) % 3, 3, id="class"),
        pytest.param(_numbers(x=np.arange(N) * 2.0), np.arange(N) * 1.0, 0, id="regression"),
    ],
)
def test_a_leak_is_noticed(features: Matrix, target: Any, classes: int) -> None:
    if classes == 3:
        target = features.numeric[:, 0].astype(int)
    (sentence,) = leaks(features, target, classes)
    assert sentence.startswith('feature "x" alone predicts the target (')


@pytest.mark.parametrize(
    ("features", "target", "classes"),
    [
        pytest.param(_numbers(x=TARGET + RNG.normal(0, 1, N)), TARGET, 2, id="good feature"),
        pytest.param(_texts(x=[f"row {i}" for i in range(N)]), TARGET, 2, id="unique text"),
        pytest.param(_numbers(x=np.full(N, 7.0)), TARGET, 2, id="constant"),
        pytest.param(_numbers(x=TARGET[:20]), TARGET[:20], 2, id="few rows"),
    ],
)
def test_no_leak_is_no_warning(features: Matrix, target: Any, classes: int) -> None:
    assert leaks(features, target, classes) == []


@pytest.mark.parametrize(
    ("features", "found"),
    [
        pytest.param(_texts(x=[f"row {i}" for i in range(N)]), True, id="unique text"),
        pytest.param(_numbers(x=np.arange(N) + 5000), True, id="counter"),
        pytest.param(_numbers(x=RNG.permutation(N)), True, id="shuffled counter"),
        pytest.param(_numbers(x=np.cumsum(RNG.integers(1, 99, N))), True, id="growing numbers"),
        pytest.param(_texts(x=[f"city {i % 50}" for i in range(N)]), False, id="categories"),
        pytest.param(_numbers(x=RNG.normal(0, 1, N)), False, id="measurements"),
        pytest.param(_numbers(x=RNG.integers(0, 90, N)), False, id="ages"),
        pytest.param(_numbers(x=RNG.permutation(10**6)[:N]), False, id="distinct amounts"),
    ],
)
def test_identifiers_are_noticed(features: Matrix, found: bool) -> None:
    assert bool(identifiers(features)) == found
