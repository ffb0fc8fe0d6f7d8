"""Histograms merge, and their quantiles are off by no more than a bucket."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats import loghist
from pawl.stats.loghist import BASE, GROWTH, SIZE

DURATIONS = st.floats(1e-6, 90.0)


def _counts(durations: list[float]) -> dict[int, int]:
    return loghist.merge({loghist.index(seconds): 1} for seconds in durations)


@pytest.mark.parametrize("bucket", range(SIZE - 1))
def test_the_upper_end_belongs_to_its_bucket(bucket: int) -> None:
    assert loghist.index(loghist.upper(bucket)) == bucket
    assert loghist.index(math.nextafter(loghist.upper(bucket), math.inf)) == bucket + 1


@given(DURATIONS)
def test_a_duration_lies_in_its_bucket(seconds: float) -> None:
    bucket = loghist.index(seconds)
    assert loghist.lower(bucket) < seconds <= loghist.upper(bucket)


def test_the_ends_are_open() -> None:
    assert loghist.index(0.0) == loghist.index(-1.0) == 0
    assert loghist.index(1e9) == SIZE - 1
    assert loghist.upper(SIZE - 1) == math.inf
    assert 90 < loghist.lower(SIZE - 1) < 100


@given(st.lists(st.floats(1.0001 * BASE, 90.0), min_size=1), st.floats(0.0, 1.0))
def test_a_quantile_is_off_by_at_most_a_bucket(durations: list[float], q: float) -> None:
    exact = sorted(durations)[max(math.ceil(q * len(durations)) - 1, 0)]
    found = loghist.quantile(_counts(durations), q)
    assert exact / GROWTH * (1 - 1e-9) <= found <= exact * GROWTH * (1 + 1e-9)


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_histograms_of_parts_merge_into_the_whole(one: list[float], other: list[float]) -> None:
    assert loghist.merge([_counts(one), _counts(other)]) == _counts(one + other)


@given(st.lists(DURATIONS), st.integers(0, SIZE - 2))
def test_above_an_edge_is_counted_exactly(durations: list[float], bucket: int) -> None:
    edge = loghist.upper(bucket)
    above = sum(seconds > edge for seconds in durations)
    assert loghist.count_above(_counts(durations), bucket) == above
    assert loghist.share_above(_counts(durations), edge) == above


@given(st.lists(DURATIONS), DURATIONS)
def test_above_anything_is_between_the_edges(durations: list[float], seconds: float) -> None:
    counts, bucket = _counts(durations), loghist.index(seconds)
    most = loghist.count_above(counts, bucket) + counts.get(bucket, 0)
    assert loghist.count_above(counts, bucket) <= loghist.share_above(counts, seconds) <= most


@given(st.lists(DURATIONS))
def test_the_wire_form_loses_nothing(durations: list[float]) -> None:
    counts = _counts(durations)
    assert loghist.from_wire(loghist.to_wire(counts)) == counts


@pytest.mark.parametrize("wire", [{"284": 1}, {"-1": 1}, {"3": -1}, {"x": 1}])
def test_what_cannot_be_is_refused(wire: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|buckets"):
        loghist.from_wire(wire)


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="empty"):
        loghist.quantile({}, 0.5)
