"""Divergences against SciPy on raw data, and against their definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from pawl.stats.drift import divergences as d
from pawl.stats.drift.layout import Ragged

BINS = Ragged.sized([4, 3])
P, Q = np.array([30.0, 12, 8, 10, 5, 10, 45]), np.array([200.0, 90, 10, 100, 300, 50, 100])
PARTS = (slice(0, 4), slice(4, 7))

SHAPES = {
    "normal, moved": (lambda g: g.normal(0, 1, 20_000), lambda g: g.normal(0.3, 1.2, 5_000)),
    "lognormal": (lambda g: g.lognormal(0, 0.6, 20_000), lambda g: g.lognormal(0.2, 0.5, 5_000)),
    "uniform, narrower": (lambda g: g.uniform(0, 9, 20_000), lambda g: g.uniform(3, 5, 5_000)),
    "whole numbers": (lambda g: 1.0 * g.poisson(3, 20_000), lambda g: 1.0 * g.poisson(4, 5_000)),
    "the same": (lambda g: g.normal(0, 1, 20_000), lambda g: g.normal(0, 1, 5_000)),
}
Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(params=list(SHAPES))
def samples(request: pytest.FixtureRequest) -> Pair:
    """Reference and window."""
    generator = np.random.default_rng(4)
    reference, window = SHAPES[request.param]
    return reference(generator), window(generator)


def test_ks_on_raw_values(samples: Pair, numbers: Callable) -> None:
    reference, window = samples
    table = numbers([reference])
    found = d.measured("ks", table.window([window]), table.layout, None)[0]
    exact = stats.ks_2samp(window, reference).statistic
    assert exact - 1 / 80 - 1e-12 <= found <= exact + 1e-12


def test_wasserstein_on_raw_values(samples: Pair, numbers: Callable) -> None:
    reference, window = samples
    table = numbers([reference])
    found = d.measured("wasserstein", table.window([window]), table.layout, None)[0]
    exact = stats.wasserstein_distance(window, reference) / np.std(reference)
    assert found == pytest.approx(exact, rel=0.02, abs=0.002)


def test_wasserstein_of_a_shift_is_the_shift(numbers: Callable) -> None:
    reference = np.random.default_rng(5).normal(0, 1, 10_000)
    table = numbers([reference])
    found = d.measured("wasserstein", table.window([reference + 7.0]), table.layout, None)[0]
    assert found == pytest.approx(7.0, rel=0.02)


def test_js_is_scipys() -> None:
    exact = [distance.jensenshannon(P[at], Q[at]) for at in PARTS]
    assert d.js(BINS, P, Q).tolist() == pytest.approx(exact)


def test_js_of_what_has_nothing_in_common() -> None:
    found = d.js(Ragged.sized([2]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert found[0] == pytest.approx(np.sqrt(np.log(2)))


def test_psi_is_the_plain_formula_where_no_cell_is_empty() -> None:
    """Evidently's too: shares of the same bins, nothing added."""
    exact = []
    for at in PARTS:
        p, q = P[at] / P[at].sum(), Q[at] / Q[at].sum()
        exact.append(np.sum((q - p) * np.log(q / p)))
    assert d.psi(BINS, P, Q, added=0).tolist() == pytest.approx(exact)
    # half a row per cell is little where there are many
    assert d.psi(BINS, 1000 * P, 1000 * Q).tolist() == pytest.approx(exact, rel=0.001)


def test_psi_adds_half_a_row_to_every_cell_in_use() -> None:
    bins = Ragged.sized([4])
    window, reference = np.array([9.0, 0, 1, 0]), np.array([50.0, 49, 0, 0])
    p, q = np.array([9.5, 0.5, 1.5]) / 11.5, np.array([50.5, 49.5, 0.5]) / 100.5
    assert d.psi(bins, window, reference)[0] == pytest.approx(np.sum((p - q) * np.log(p / q)))
    assert d.psi(bins, window, reference, added=0)[0] == np.inf


def test_chi2_is_scipys_of_samples_of_one_size() -> None:
    table = np.array([[30, 10, 60], [20, 50, 30]])
    found = d.chi2(Ragged.sized([3]), table[0] * 1.0, table[1] * 7.0)  # the size does not matter
    exact = stats.contingency.association(table, method="cramer", correction=False)
    assert found[0] == pytest.approx(exact)


@pytest.mark.parametrize("metric", ["psi", "js", "chi2", "ks", "wasserstein"])
def test_no_rows_are_no_distance(metric: d.Metric, numbers: Callable) -> None:
    table = numbers([np.arange(100.0), np.full(100, np.nan), np.full(100, 3.0)])
    nothing = table.window([np.empty(0)] * 3)
    assert d.measured(metric, nothing, table.layout, None).tolist() == [0.0] * 3


def test_infinite_values_are_infinitely_far(numbers: Callable) -> None:
    reference = np.random.default_rng(6).normal(0, 1, 1000)
    table = numbers([reference, reference])
    window = table.window([np.append(reference, np.inf), np.append(reference, -np.inf)])
    assert d.measured("wasserstein", window, table.layout, None).tolist() == [np.inf, np.inf]


def test_what_was_constant_and_moved_is_infinitely_far(numbers: Callable) -> None:
    table = numbers([np.full(100, 3.0), np.full(100, 3.0)])
    window = table.window([np.full(50, 4.0), np.full(50, 3.0)])
    assert d.measured("wasserstein", window, table.layout, None).tolist() == [np.inf, 0.0]


@pytest.mark.parametrize("metric", ["ks", "wasserstein"])
def test_fine_bins_must_be_there(metric: d.Metric, plain: Callable) -> None:
    layout, window = plain([5, 5], np.ones((4, 2)))
    with pytest.raises(ValueError, match="fine bins"):
        d.measured(metric, window, layout, None)


@pytest.mark.parametrize("metric", ["psi", "js", "chi2"])
@pytest.mark.parametrize(
    "n", [pytest.param(500, id="few rows"), pytest.param(20_000, id="many rows")]
)
def test_chance_is_taken_off(metric: d.Metric, n: int) -> None:
    """The mean over windows of the same mix: what is taken off is what chance adds."""
    generator, m, size = np.random.default_rng(7), 10_000, 400
    bins = Ragged.sized([10] * size)
    windows = generator.multinomial(n, np.full(10, 0.1), size).ravel() * 1.0
    references = generator.multinomial(m, np.full(10, 0.1), size).ravel() * 1.0
    value = {"psi": d.psi, "js": d.js, "chi2": d.chi2}[metric](bins, windows, references)
    chance = 9 * (1 / n + 1 / m)
    power = 1 if metric == "psi" else 2
    part = {"psi": 1, "js": 8, "chi2": 4}[metric]
    assert np.mean(value**power) == pytest.approx(chance / part, rel=0.1)
    left = d.corrected(metric, value, np.full(size, chance))
    assert np.median(left) == 0.0
    assert np.mean(left) < 0.5 * np.mean(value)
