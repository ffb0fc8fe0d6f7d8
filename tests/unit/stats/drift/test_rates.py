"""Intervals of rates against published examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pawl.stats.drift.rates import newcombe, wilson


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param((56, 70), (48, 80), (0.0524, 0.3339), id="56/70 and 48/80"),
        pytest.param((9, 10), (3, 10), (0.1705, 0.8090), id="9/10 and 3/10"),
        pytest.param((6, 7), (2, 7), (0.0582, 0.8062), id="6/7 and 2/7"),
        pytest.param((5, 56), (0, 29), (-0.0381, 0.1926), id="5/56 and 0/29"),
        pytest.param((0, 10), (0, 20), (-0.1611, 0.2775), id="0/10 and 0/20"),
        pytest.param((10, 10), (0, 10), (0.6075, 1.0), id="10/10 and 0/10"),
    ],
)
def test_newcombe_1998_table_2(
    a: tuple[int, int], b: tuple[int, int], expected: tuple[float, float]
) -> None:
    (k, n), (j, m) = a, b
    low, high = newcombe(np.float64(k / n), np.float64(n), np.float64(j / m), np.float64(m))
    assert (low, high) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (81, 263), (10, 10)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    exact = stats.binomtest(k, n).proportion_ci(method="wilson")
    found = wilson(np.float64(k / n), np.float64(n))
    assert found == pytest.approx((exact.low, exact.high), abs=1e-12)
