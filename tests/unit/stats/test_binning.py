"""Quantile bins: every number falls into exactly one, fine bins add up to coarse ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats.binning import (
    COARSE_BINS,
    FINE_BINS,
    bin_counts,
    category_table,
    numeric_bins,
    quantile_edges,
)

SAMPLES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.just(float("nan"))),
    max_size=300,
)


@given(SAMPLES)
def test_every_value_is_counted_once(sample: list[float]) -> None:
    values = np.array(sample, dtype=np.float64)
    bins = numeric_bins(values)
    present = values[~np.isnan(values)]
    assert bins.counts.sum() == bins.fine_counts.sum() == len(present)
    assert bins.missing == len(values) - len(present)
    assert np.isclose(bins.fine_sums.sum(), present.sum(), atol=1e-3)


@given(SAMPLES)
def test_coarse_edges_are_fine_edges(sample: list[float]) -> None:
    bins = numeric_bins(np.array(sample, dtype=np.float64))
    assert set(bins.edges) <= set(bins.fine_edges)
    assert (np.diff(bins.fine_edges) > 0).all()


@given(SAMPLES)
def test_no_bin_of_the_sample_itself_is_empty(sample: list[float]) -> None:
    bins = numeric_bins(np.array(sample, dtype=np.float64))
    if bins.counts.sum():
        assert bins.counts.min() > 0
        assert bins.fine_counts.min() > 0


def test_distinct_values_give_equal_bins() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1600.0))
    bins = numeric_bins(values)
    assert bins.counts.tolist() == [160] * COARSE_BINS
    assert bins.fine_counts.tolist() == [20] * FINE_BINS


def test_a_value_on_an_edge_belongs_to_the_bin_below() -> None:
    assert bin_counts(np.array([1.0, 1.5, 2.0, 9.0]), np.array([1.0, 2.0])).tolist() == [1, 2, 1]


def test_a_flag_has_two_bins() -> None:
    bins = numeric_bins(np.array([0.0, 1.0, 1.0, 0.0, 1.0]))
    assert (bins.edges.tolist(), bins.counts.tolist()) == ([0.0], [2, 3])


def test_a_constant_has_one_bin() -> None:
    assert quantile_edges(np.full(9, 4.0), 10).tolist() == []


def test_rare_categories_are_other() -> None:
    table = category_table([("b", 2), ("a", 2), ("c", 1), ("d", 1)], missing=3, most=2)
    assert (table.categories, table.counts, table.other) == (("a", "b"), (2, 2), 2)
    assert table.missing == 3
