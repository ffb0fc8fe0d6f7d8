"""The likelihood-ratio test of two samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pawl.stats.drift.homogeneity import p_values
from pawl.stats.drift.layout import Ragged

BINS = Ragged.sized([4, 3])
WINDOW = np.array([30.0, 12.0, 0.0, 9.0, 5.0, 0.0, 45.0])
REFERENCE = np.array([200.0, 90.0, 10.0, 100.0, 300.0, 0.0, 100.0])
N, M = BINS.sum(WINDOW), BINS.sum(REFERENCE)


def test_it_is_scipys() -> None:
    found = p_values(BINS, WINDOW, REFERENCE, N, M)
    for at, columns in enumerate(([0, 1, 2, 3], [4, 6])):  # one bin is empty on both sides
        table = np.array([WINDOW[columns], REFERENCE[columns]])
        theirs = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        assert found[at] == pytest.approx(theirs.pvalue, rel=1e-9)


def test_effective_rows_count() -> None:
    fewer = p_values(BINS, WINDOW, REFERENCE, N / 5, M)
    assert fewer.tolist() == pytest.approx(p_values(BINS, WINDOW / 5, REFERENCE, N / 5, M).tolist())
    assert (fewer > p_values(BINS, WINDOW, REFERENCE, N, M)).all()


@pytest.mark.parametrize(
    ("window", "reference"),
    [
        pytest.param(0 * WINDOW, REFERENCE, id="no window"),
        pytest.param(WINDOW, 0 * REFERENCE, id="no reference"),
        pytest.param(0.1 * REFERENCE, REFERENCE, id="the same mix"),
    ],
)
def test_nothing_is_rejected(window: np.ndarray, reference: np.ndarray) -> None:
    found = p_values(BINS, window, reference, BINS.sum(window), BINS.sum(reference))
    assert found.tolist() == [1.0, 1.0]


def test_a_rare_bin_does_not_reject_by_itself() -> None:
    """Three rows where 0.1 were expected come once in 6,000 windows; X² takes them for 10⁻¹⁵."""
    bins = Ragged.sized([3])
    reference = np.array([5000.0, 4998.0, 2.0])
    window = np.array([249.0, 248.0, 3.0])
    [p] = p_values(bins, window, reference, np.array([500.0]), np.array([10000.0]))
    pearson = stats.chi2_contingency([window, reference], correction=False).pvalue
    assert pearson < 1e-6 < 1e-5 < p
