"""Pairs join by id, once each, and comparisons add up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats import loghist, valuehist
from pawl.stats.shadow import Comparison, Pair, compare, join

PAIR = Pair(id=1, second=100, label=0, value=0.25, latency=0.01, status=200)


def _pairs() -> st.SearchStrategy[list[Pair]]:
    numbers = st.none() | st.integers(0, 64).map(lambda i: i / 64)
    return st.lists(
        st.builds(
            Pair,
            id=st.integers(0, 12),
            second=st.integers(0, 5),
            label=st.none() | st.integers(0, 2),
            value=numbers,
            latency=st.integers(1, 64).map(lambda i: i / 64),
            status=st.sampled_from([200, 400, 503]),
        )
    )


def test_what_both_versions_were_asked_joins() -> None:
    ours, theirs = [PAIR, PAIR._replace(id=2)], [PAIR._replace(id=3), PAIR._replace(id=2, label=1)]
    assert join(ours, theirs) == [(ours[1], theirs[1])]


@given(_pairs(), _pairs())
def test_an_id_counts_once(stable: list[Pair], candidate: list[Pair]) -> None:
    joined = join(stable, candidate)
    ids = [ours.id for ours, _ in joined]
    assert len(ids) == len(set(ids))
    assert set(ids) == {p.id for p in stable} & {p.id for p in candidate}
    assert all(ours.id == theirs.id for ours, theirs in joined)


def test_of_a_retry_the_answer_counts_and_not_the_failure() -> None:
    failed, answered, again = PAIR._replace(status=503), PAIR, PAIR._replace(second=101, label=1)
    assert join([failed, again, answered], [PAIR]) == [(answered, PAIR)]
    assert join([failed], [PAIR]) == [(failed, PAIR)]


def test_what_is_compared() -> None:
    found = compare(
        [
            (PAIR, PAIR._replace(label=1, value=0.5, latency=0.03)),
            (PAIR, PAIR),
            (PAIR, PAIR._replace(status=500)),
            (PAIR._replace(status=503), PAIR),
            (PAIR._replace(label=None, value=None), PAIR),
        ]
    )
    assert (found.pairs, found.stable_errors, found.candidate_errors) == (5, 1, 1)
    assert (found.labelled, found.disagreements, found.valued) == (2, 1, 2)
    assert (found.shift, found.shift_squares, found.mean_shift) == (0.25, 0.0625, 0.125)
    assert found.stable_seconds == pytest.approx(0.05)
    assert found.candidate_latency == {loghist.index(0.01): 4, loghist.index(0.03): 1}


@pytest.mark.parametrize(
    ("part", "limit", "count"),
    [
        pytest.param("absolute", 0.2, 1, id="below"),
        pytest.param("absolute", 0.25, 0, id="as large as the limit is not above"),
        pytest.param("relative", 0.45, 1, id="relative to the larger"),
        pytest.param("relative", 0.5, 0, id="relative at the limit"),
    ],
)
def test_differences_above_a_limit(part: str, limit: float, count: int) -> None:
    found = compare([(PAIR, PAIR._replace(value=0.5)), (PAIR, PAIR)])
    assert found.above(part, limit) == (2, count)  # type: ignore[arg-type]


def test_quantiles_of_differences_are_at_most_a_bin_too_high() -> None:
    pairs = [(PAIR._replace(value=0.0), PAIR._replace(value=i / 100)) for i in range(1, 101)]
    found = compare(pairs).quantile("absolute", 0.95)
    assert found is not None
    assert 0.95 <= found <= 0.95 * 1.07
    assert Comparison().quantile("relative", 0.5) is None


def test_scores_are_counted_in_bins_if_edges_are_given() -> None:
    found = compare([(PAIR, PAIR._replace(value=0.9)), (PAIR, PAIR)], edges=[0.25, 0.75])
    assert (found.stable_bins, found.candidate_bins) == ((2, 0, 0), (1, 0, 1))


@given(_pairs(), _pairs(), _pairs())
def test_comparisons_of_parts_add_up(one: list[Pair], two: list[Pair], other: list[Pair]) -> None:
    first, second = join(one, two), join(two, other)
    edges = [0.25, 0.5]
    whole = compare(first + second, edges)
    assert _plain(compare(first, edges) + compare(second, edges)) == _plain(whole)
    assert whole + Comparison() == whole


def _plain(found: Comparison) -> Comparison:
    return replace(found, absolute=dict(found.absolute), relative=dict(found.relative))


def test_no_difference_falls_into_the_bin_around_zero() -> None:
    assert compare([(PAIR, PAIR)]).absolute == {valuehist.index(0.0, valuehist.LOG): 1}
