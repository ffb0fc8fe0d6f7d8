"""Verdicts on the difference of two rates, with error rates that hold whatever the base does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.stats.sequential import proportions
from pawl.stats.sequential.proportions import (
    Interval,
    TwoProportions,
    judge,
    load,
    start,
    update,
)

ALPHAS = {"alpha_fail": 0.01 / 6, "alpha_pass": 0.01}


def _intervals(most: int = 200) -> st.SearchStrategy[list[Interval]]:
    arm = st.integers(0, most).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
    return st.lists(st.builds(lambda s, c: Interval(*s, *c), arm, arm), max_size=6)


def _after(intervals: list[Interval], margin: float = 0.05) -> TwoProportions:
    state = start()
    for interval in intervals:
        state = update(state, interval, margin=margin)
    return state


def _probability(k: int, n: int, p: float) -> float:
    """Binomial; scipy's overflows for p near the smallest float."""
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def _expected_growth(
    state: TwoProportions, ns: int, nc: int, stable: float, candidate: float, of: str
) -> float:
    """E[e-value after the next interval] / e-value now."""
    now = getattr(state, of)
    return sum(
        _probability(ks, ns, stable)
        * _probability(kc, nc, candidate)
        * math.exp(getattr(update(state, Interval(ns, ks, nc, kc), margin=0.05), of) - now)
        for ks in range(ns + 1)
        for kc in range(nc + 1)
    )


@settings(max_examples=40)
@given(_intervals(), st.integers(0, 6), st.integers(0, 6), st.floats(0, 1), st.floats(0, 1))
def test_a_candidate_that_is_not_worse_is_not_expected_to_fail(
    past: list[Interval], ns: int, nc: int, stable: float, part: float
) -> None:
    """Whatever has happened before: this is what makes looking at any time allowed."""
    growth = _expected_growth(_after(past), ns, nc, stable, stable * part, "log_fail")
    assert growth <= 1 + 1e-6


@settings(max_examples=40)
@given(_intervals(), st.integers(0, 6), st.integers(0, 6), st.floats(0, 0.95), st.floats(0, 1))
def test_a_candidate_that_is_worse_by_the_margin_is_not_expected_to_pass(
    past: list[Interval], ns: int, nc: int, stable: float, part: float
) -> None:
    candidate = stable + 0.05 + part * (0.95 - stable)
    growth = _expected_growth(_after(past), ns, nc, stable, min(candidate, 1.0), "log_pass")
    assert growth <= 1 + 1e-6


def _rollout(
    generator: np.random.Generator, base: float, effect: float, weight: float, most: int
) -> TwoProportions:
    state = start()
    for _ in range(most):
        nc = int(generator.binomial(500, weight))
        ns = 500 - nc
        ks, kc = generator.binomial(ns, base), generator.binomial(nc, base + effect)
        state = update(state, Interval(ns, int(ks), nc, int(kc)), margin=0.01)
        if judge(state, **ALPHAS) != "Inconclusive":
            break
    return state


@pytest.mark.parametrize(
    ("base", "effect", "weight", "verdict"),
    [
        pytest.param(0.01, 0.0, 0.05, "Pass", id="same at 5 %"),
        pytest.param(0.01, 0.0, 0.5, "Pass", id="same at 50 %"),
        pytest.param(0.0, 0.0, 0.05, "Pass", id="no errors at all"),
        pytest.param(0.01, -0.01, 0.05, "Pass", id="better"),
        pytest.param(0.01, 0.02, 0.05, "Fail", id="worse"),
        pytest.param(0.01, 0.5, 0.05, "Fail", id="much worse"),
        pytest.param(0.3, 0.1, 0.5, "Fail", id="worse where errors are usual"),
        pytest.param(0.95, 0.05, 0.5, "Fail", id="stable fails nearly always, candidate always"),
    ],
)
def test_verdicts(base: float, effect: float, weight: float, verdict: str) -> None:
    state = _rollout(np.random.default_rng(4), base, effect, weight, 400)
    assert judge(state, **ALPHAS) == verdict


def test_a_candidate_that_fails_everything_fails_within_a_dozen_requests() -> None:
    state = _after([Interval(475, 5, 0, 0)] * 3 + [Interval(114, 1, 6, 6)], margin=0.01)
    assert judge(state, **ALPHAS) == "Fail"


def test_pooling_over_steps_would_see_a_difference_that_is_not_there() -> None:
    """The error rate triples when the candidate gets half of the traffic: Simpson's paradox."""
    generator = np.random.default_rng(2)
    state = start()
    for weight, base in [(0.05, 0.01)] * 100 + [(0.5, 0.03)] * 100:
        nc = int(generator.binomial(500, weight))
        ks, kc = generator.binomial(500 - nc, base), generator.binomial(nc, base)
        state = update(state, Interval(500 - nc, int(ks), nc, int(kc)), margin=0.01)
    pooled = state.candidate_k / state.candidate_n - state.stable_k / state.stable_n
    assert pooled > 0.01
    assert state.difference().low < 0 < state.difference().high
    assert abs(state.difference().value) < 0.002
    assert judge(state, **ALPHAS) == "Pass"


def test_a_verdict_stays_but_a_fail_follows_a_pass() -> None:
    passed = _after([Interval(475, 5, 25, 0)] * 100, margin=0.01)
    assert judge(passed, **ALPHAS) == "Pass"
    doubtful = _after([], margin=0.01)
    later = update(passed, Interval(475, 5, 25, 2), margin=0.01)
    assert later.log_pass < passed.most_pass
    assert judge(later, **ALPHAS) == "Pass"
    for _ in range(40):
        later = update(later, Interval(475, 5, 25, 10), margin=0.01)
    assert judge(later, **ALPHAS) == "Fail"
    assert judge(doubtful, **ALPHAS) == "Inconclusive"


@given(_intervals())
def test_evidence_of_correlated_requests_counts_less(past: list[Interval]) -> None:
    once = _after(past)
    halved = start()
    for interval in past:
        halved = update(halved, interval, margin=0.05, design_effect=2.0)
    assert halved.fail == once.fail
    assert halved.log_fail <= max(once.log_fail, 0.0) + 1e-9
    assert halved.log_pass <= max(once.log_pass, 0.0) + 1e-9


@given(_intervals(100_000))
def test_a_state_survives_as_one_short_line(past: list[Interval]) -> None:
    state = _after(past)
    text = state.dump()
    again = load(text)
    assert again.dump() == text
    assert len(text) <= 600
    assert (again.stable_n, again.candidate_k) == (state.stable_n, state.candidate_k)
    assert again.log_fail == pytest.approx(state.log_fail, rel=1e-6, abs=1e-6)
    assert again.log_pass == pytest.approx(state.log_pass, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    "text", ["", "tp0 1 2", "tp1 1 2 3", "tp1" + " x" * 21, "tp1" + " nan" * 21]
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"state|convert"):
        load(text)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_margin_that_nothing_could_pass_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        update(start(), Interval(1, 0, 1, 0), margin=margin)


def test_an_empty_interval_changes_nothing() -> None:
    state = _after([Interval(10, 1, 10, 2)])
    assert update(state, Interval(0, 0, 0, 0), margin=0.05) == state


def test_an_interval_of_one_arm_teaches_the_base_rate_only() -> None:
    before = _after([Interval(100, 3, 50, 2)])
    after = update(before, Interval(100, 30, 0, 0), margin=0.05)
    kept = replace(
        after, overlap=before.overlap, recent_n=before.recent_n, recent_k=before.recent_k
    )
    assert kept == before
    assert after.recent_k > before.recent_k
    assert after.difference() == before.difference()


def test_without_traffic_the_difference_may_be_anything() -> None:
    assert start().difference() == (0.0, -1.0, 1.0)
    assert proportions.still_needed(start(), margin=0.01, weight=0.05, **ALPHAS) is None
