"""Conditional bets are exact, and no good candidate is expected to make them grow."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats.sequential.odds import Interval, bets, checked

ODDS = st.floats(-4.0, 6.0)


@st.composite
def _margins(draw: st.DrawFn, most: int = 60) -> tuple[int, int, int]:
    """(stable, candidate, bad) with both arms, and neither all good nor all bad."""
    stable, candidate = draw(st.integers(1, most)), draw(st.integers(1, most))
    return stable, candidate, draw(st.integers(1, stable + candidate - 1))


def _chances(stable: int, candidate: int, bad: int, odds: float) -> dict[Interval, float]:
    """Fisher's noncentral hypergeometric distribution, term by term."""
    first, last = max(0, bad - stable), min(bad, candidate)
    terms = {
        Interval(stable, bad - k, candidate, k): math.comb(candidate, k)
        * math.comb(stable, bad - k)
        * odds**k
        for k in range(first, last + 1)
    }
    whole = math.fsum(terms.values())
    return {seen: term / whole for seen, term in terms.items()}


def _worth(margins: tuple[int, int, int], odds: float, x: float) -> float:
    """E[e] of the bet on exp(x) when the odds ratio is `odds`."""
    chances = _chances(*margins, odds)
    return math.fsum(chance * math.exp(bets(seen, [x])[0]) for seen, chance in chances.items())


@given(_margins(), ODDS)
def test_a_bet_is_worth_one_when_the_arms_are_equal(
    margins: tuple[int, int, int], x: float
) -> None:
    assert _worth(margins, 1.0, x) == pytest.approx(1.0, rel=1e-9)


@given(_margins(), st.floats(0.0, 5.0), st.floats(0.01, 1.0))
def test_a_bet_on_worse_loses_when_the_candidate_is_better(
    margins: tuple[int, int, int], x: float, odds: float
) -> None:
    assert _worth(margins, odds, x) <= 1 + 1e-9
    assert _worth(margins, 1 / odds, -x) <= 1 + 1e-9


def test_it_is_the_likelihood_ratio_of_fishers_distribution() -> None:
    seen = Interval(475, 5, 25, 2)
    ratio = _chances(475, 25, 7, 3.0)[seen] / _chances(475, 25, 7, 1.0)[seen]
    assert bets(seen, [math.log(3.0)]) == pytest.approx([math.log(ratio)])


def test_millions_of_requests_are_no_trouble() -> None:
    found = bets(Interval(1_000_000, 10_000, 800_000, 8_400), [0.05, -3.0, 8.0])
    assert found[0] == pytest.approx(5.43, abs=0.1)  # x·(K − E K) − x²·Var K / 2
    assert all(math.isfinite(bet) for bet in found)
    assert found[1] < -1000
    assert found[2] < -1000


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(Interval(0, 0, 0, 0), id="nothing"),
        pytest.param(Interval(10, 2, 0, 0), id="only stable"),
        pytest.param(Interval(0, 0, 10, 2), id="only candidate"),
        pytest.param(Interval(10, 0, 10, 0), id="all good"),
        pytest.param(Interval(10, 10, 10, 10), id="all bad"),
    ],
)
def test_where_nothing_can_be_told_nothing_is_bet(seen: Interval) -> None:
    assert bets(seen, [1.0, -1.0]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "seen", [Interval(1, 2, 3, 1), Interval(2, 1, 1, 2), Interval(1, -1, 1, 0)]
)
def test_counts_that_cannot_be_are_refused(seen: Interval) -> None:
    with pytest.raises(ValueError, match="bad of"):
        checked(seen)
