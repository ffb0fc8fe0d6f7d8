"""Means of numbers in [0, 1] against a limit, and mean differences within ± a limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats.sequential import mean, shift
from pawl.stats.sequential.mean import SHIFTS
from pawl.stats.sequential.odds import log_odds

ALPHAS = {"alpha_fail": 0.01 / 6, "alpha_pass": 0.01}
NUMBERS = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)
LIMIT = st.floats(0.01, 0.99)


def _after(numbers: list[float], limit: float) -> mean.BoundedMean:
    squares = math.fsum(x * x for x in numbers)
    return mean.update(mean.start(), len(numbers), math.fsum(numbers), squares, limit=limit)


@given(NUMBERS, LIMIT)
def test_no_bet_claims_more_than_it_won(numbers: list[float], limit: float) -> None:
    """The true wealth Π(1 + λ(x − limit)) is what the theorem is about."""
    state = _after(numbers, limit)
    for found, sign in ((state.fail, 1), (state.passing, -1)):
        for wealth, step in zip(found, SHIFTS, strict=True):
            q = 1 / (1 + math.exp(-(log_odds(limit) + sign * step)))
            rate = (q - limit) / (limit * (1 - limit))
            won = math.fsum(math.log1p(rate * (x - limit)) for x in numbers)
            assert wealth <= won + 1e-7


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1), LIMIT)
def test_of_zeros_and_ones_it_is_all_of_it(numbers: list[float], limit: float) -> None:
    q = 1 / (1 + math.exp(-(log_odds(limit) + 0.5)))
    k = sum(numbers)
    exact = k * math.log(q / limit) + (len(numbers) - k) * math.log((1 - q) / (1 - limit))
    assert _after(numbers, limit).fail[SHIFTS.index(0.5)] == pytest.approx(exact)


@pytest.mark.parametrize(
    ("share", "limit", "verdict", "most"),
    [
        pytest.param(0.0, 0.05, "Pass", 150, id="no disagreement"),
        pytest.param(0.02, 0.05, "Pass", 2000, id="little"),
        pytest.param(0.1, 0.05, "Fail", 2000, id="too much"),
        pytest.param(1.0, 0.05, "Fail", 50, id="always"),
    ],
)
def test_verdicts_on_a_share(share: float, limit: float, verdict: str, most: int) -> None:
    generator, state = np.random.default_rng(3), mean.start()
    while mean.judge(state, **ALPHAS) == "Inconclusive" and state.n < 10_000:
        k = int(generator.binomial(50, share))
        state = mean.update(state, 50, k, k, limit=limit)
    assert mean.judge(state, **ALPHAS) == verdict
    assert state.n <= most


def test_numbers_that_vary_little_are_judged_sooner() -> None:
    calm, wild = mean.start(), mean.start()
    for _ in range(4):
        calm = mean.update(calm, 50, 50 * 0.05, 50 * 0.05**2, limit=0.1)
        wild = mean.update(wild, 50, 50 * 0.05, 50 * 0.05, limit=0.1)
    assert calm.log_pass > wild.log_pass + 2


def test_a_limit_is_rarely_called_exceeded_when_it_is_met() -> None:
    """At 5 % each, over 40 looks."""
    generator = np.random.default_rng(11)
    wrong = 0
    for _ in range(300):
        state = mean.start()
        for _ in range(40):
            x = generator.beta(1, 9, 25)
            state = mean.update(state, 25, x.sum(), (x * x).sum(), limit=0.1)
        wrong += mean.judge(state, alpha_fail=0.05, alpha_pass=0.05) != "Inconclusive"
    assert wrong / 300 <= 0.1


@pytest.mark.parametrize(
    ("n", "total", "squares"),
    [(-1, 0.0, 0.0), (2, 3.0, 3.0), (2, -1.0, 1.0), (2, 1.0, 1.5), (2, 1.0, 0.2)],
)
def test_sums_that_cannot_be_are_refused(n: int, total: float, squares: float) -> None:
    with pytest.raises(ValueError, match="cannot have sums"):
        mean.update(mean.start(), n, total, squares, limit=0.5)


def test_a_limit_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean.update(mean.start(), 1, 0.5, 0.25, limit=1.0)


@given(NUMBERS, LIMIT)
def test_states_survive_as_one_short_line(numbers: list[float], limit: float) -> None:
    state = _after(numbers, limit)
    assert mean.load(state.dump()).dump() == state.dump()
    low, high = state.estimate().low, state.estimate().high
    assert 0 <= low <= state.estimate().value <= high <= 1
    both = shift.update(shift.start(), len(numbers), state.total, state.squares, limit=limit)
    assert shift.load(both.dump()).dump() == both.dump()
    assert len(both.dump()) <= 600


def test_what_a_mean_still_needs() -> None:
    assert mean.still_needed(mean.start(), limit=0.05, **ALPHAS) is None
    early = mean.update(mean.start(), 150, 4, 4, limit=0.05)
    needed = mean.still_needed(early, limit=0.05, **ALPHAS)
    assert needed is not None
    assert 50 <= needed <= 1000
    done = mean.update(early, 5000, 100, 100, limit=0.05)
    assert mean.still_needed(done, limit=0.05, **ALPHAS) == 0


@pytest.mark.parametrize(
    ("centre", "verdict"), [(0.0, "Pass"), (0.02, "Pass"), (-0.1, "Fail"), (0.1, "Fail")]
)
def test_verdicts_on_a_shift(centre: float, verdict: str) -> None:
    generator, state = np.random.default_rng(2), shift.start()
    needed = []
    while shift.judge(state, **ALPHAS) == "Inconclusive" and state.n < 5000:
        d = np.clip(generator.normal(centre, 0.1, 50), -1, 1)
        state = shift.update(state, 50, float(d.sum()), float((d * d).sum()), limit=0.05)
        needed.append(shift.still_needed(state, limit=0.05, **ALPHAS))
    assert shift.judge(state, **ALPHAS) == verdict
    assert state.n <= 1000
    assert state.estimate().low <= centre <= state.estimate().high
    assert needed[-1] == 0
    assert needed[0] is None or needed[0] > 0
