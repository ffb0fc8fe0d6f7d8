"""Bins for predictions that all versions share."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats.valuehist import EDGES, LOG, LOGIT, SIZE, index


@pytest.mark.parametrize("name", EDGES)
def test_bins_ascend_and_fit(name: str) -> None:
    edges = EDGES[name]
    assert all(low < high for low, high in pairwise(edges))
    assert len(edges) < SIZE


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_bin_holds_what_lies_between_its_edges(value: float) -> None:
    for edges in EDGES.values():
        bin_ = index(value, edges)
        assert bin_ == 0 or edges[bin_ - 1] < value
        assert bin_ == len(edges) or value <= edges[bin_]


@given(st.floats(0.01, 0.99))
def test_probabilities_are_told_apart_in_their_tails_too(p: float) -> None:
    for value in (p, p * 1e-4, 1 - p * 1e-4):
        odds = value / (1 - value)
        more = odds * 1.15
        assert index(more / (1 + more), LOGIT) > index(value, LOGIT)


@given(st.floats(1e-5, 1e8))
def test_numbers_are_told_apart_from_seven_percent_on(value: float) -> None:
    assert index(value * 1.08, LOG) > index(value, LOG)
    assert index(-value * 1.08, LOG) < index(-value, LOG)
    assert index(-value, LOG) < index(0.0, LOG) < index(value, LOG)
