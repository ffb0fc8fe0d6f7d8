"""No candidate that is worse by the margin is expected to make Pass bets grow."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from pawl.stats.sequential.difference import bet, project
from pawl.stats.sequential.odds import Interval
from pawl.stats.sequential.planning import divergence

RATE = st.floats(0.001, 0.999)
PART = st.integers(0, 1000).map(lambda i: i / 1000)


@given(
    ns=st.integers(1, 12),
    nc=st.integers(1, 12),
    q=st.tuples(RATE, RATE),
    p=st.tuples(PART, PART),
    margin=st.floats(0.005, 0.5),
)
def test_a_bet_is_worth_at_most_one(
    ns: int, nc: int, q: tuple[float, float], p: tuple[float, float], margin: float
) -> None:
    stable = p[0] * (1 - margin)
    candidate = stable + margin + p[1] * (1 - margin - stable)
    expected = sum(
        binom.pmf(ks, ns, stable)
        * binom.pmf(kc, nc, candidate)
        * math.exp(bet(Interval(ns, ks, nc, kc), q[0], q[1], margin))
        for ks in range(ns + 1)
        for kc in range(nc + 1)
    )
    assert expected <= 1 + 1e-7


@given(q=st.tuples(RATE, RATE), w=st.floats(0.01, 0.99), margin=st.floats(0.005, 0.5))
def test_the_projection_is_the_nearest_of_the_boundary(
    q: tuple[float, float], w: float, margin: float
) -> None:
    assume(q[1] - q[0] < margin - 1e-4)

    def distance(p: float) -> float:
        return (1 - w) * divergence(q[0], p) + w * divergence(q[1], p + margin)

    best = minimize_scalar(
        distance, bounds=(1e-9, 1 - margin - 1e-9), method="bounded", options={"xatol": 1e-10}
    )
    found = project(1 - w, w, q[0], q[1], margin)
    assert 0 < found < 1 - margin
    assert distance(found) <= best.fun + 1e-9


def test_an_alternative_that_is_no_alternative_bets_nothing() -> None:
    assert bet(Interval(10, 1, 10, 1), 0.1, 0.2, 0.1) == 0.0
    assert bet(Interval(10, 1, 0, 0), 0.1, 0.1, 0.1) == 0.0
    assert bet(Interval(0, 0, 10, 1), 0.1, 0.1, 0.1) == 0.0
