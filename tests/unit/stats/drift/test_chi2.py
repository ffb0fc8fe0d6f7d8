"""The χ² distribution against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pawl.stats.drift.chi2 import survival

X = np.array([0.0, 1e-9, 0.3, 1.0, 5.0, 20.0, 45.0, 300.0, 1200.0])


@pytest.mark.parametrize("df", [1, 2, 3, 8, 9, 10, 255, 256])
def test_it_is_exact(df: int) -> None:
    found = survival(X, np.full(len(X), df))
    np.testing.assert_allclose(found, stats.chi2.sf(X, df), rtol=1e-11)


def test_degrees_of_freedom_side_by_side() -> None:
    df = np.arange(1, 10)
    np.testing.assert_allclose(survival(X, df), stats.chi2.sf(X, df), rtol=1e-11)


def test_what_cannot_vary_is_never_strange() -> None:
    assert survival(np.array([0.0, 50.0]), np.array([0, 0])).tolist() == [1.0, 1.0]


def test_what_is_out_of_sight_is_0() -> None:
    assert survival(np.array([1e9, 1e9]), np.array([9, 256])).tolist() == [0.0, 0.0]
