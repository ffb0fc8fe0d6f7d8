"""The candidate's quantile against a multiple of stable's, from histograms."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from pawl.stats import loghist
from pawl.stats.sequential.latency import Latency, judge, load, start, still_needed, update

ALPHAS = {"alpha_fail": 0.01 / 6, "alpha_pass": 0.01}
GATE = {"quantile": 0.95, "ratio": 1.5}


def _histogram(generator: np.random.Generator, n: int, median: float, spread: float = 0.5) -> dict:
    return Counter(loghist.index(s) for s in generator.lognormal(math.log(median), spread, n))


def _rollout(
    slower: float, weight: float = 0.05, drift: float = 1.0, most: int = 200, seed: int = 5
) -> Latency:
    generator, state = np.random.default_rng(seed), start()
    median = 0.02
    for _ in range(most):
        nc = int(generator.binomial(500, weight))
        stable = _histogram(generator, 500 - nc, median)
        candidate = _histogram(generator, nc, median * slower)
        state = update(state, stable, candidate, **GATE)
        median *= drift
        if judge(state, **ALPHAS) != "Inconclusive":
            break
    return state


@pytest.mark.parametrize(
    ("slower", "weight", "drift", "verdict"),
    [
        pytest.param(1.0, 0.05, 1.0, "Pass", id="same at 5 %"),
        pytest.param(1.0, 0.5, 1.0, "Pass", id="same at 50 %"),
        pytest.param(1.0, 0.05, 1.01, "Pass", id="same, both getting slower"),
        pytest.param(1.2, 0.05, 1.0, "Pass", id="slower than stable, but not by half"),
        pytest.param(2.0, 0.05, 1.0, "Fail", id="twice as slow"),
        pytest.param(20.0, 0.05, 1.0, "Fail", id="much slower"),
    ],
)
def test_verdicts(slower: float, weight: float, drift: float, verdict: str) -> None:
    assert judge(_rollout(slower, weight, drift), **ALPHAS) == verdict


def test_exactly_the_limit_is_decided_neither_way() -> None:
    undecided = sum(
        judge(_rollout(1.5, 0.5, most=60, seed=seed), **ALPHAS) == "Inconclusive"
        for seed in range(20)
    )
    assert undecided >= 19


def test_the_threshold_is_what_stable_showed_before() -> None:
    generator = np.random.default_rng(1)
    first = update(start(), _histogram(generator, 5000, 0.02), {}, **GATE)
    q95 = 0.02 * math.exp(0.5 * 1.645)
    assert q95 / 1.05 <= first.threshold <= q95 * 1.05
    assert (first.overlap.stable_n, first.fail) == (0, start().fail)
    slow = _histogram(generator, 5000, 0.2)
    second = update(first, slow, slow, **GATE)
    assert second.overlap.stable_k == loghist.count_above(slow, first.bucket)
    assert second.threshold > first.threshold


def test_thresholds_between_edges_are_moved_to_the_safe_side() -> None:
    """1.5 is 8.3 buckets: what lies in the ninth is slow for Pass and not for Fail."""
    learnt = update(start(), {40: 1000}, {}, quantile=0.95, ratio=1.5)
    stable = {learnt.bucket: 950, learnt.bucket + 1: 50}
    between = {learnt.bucket + 9: 100, learnt.bucket: 900}
    state = update(learnt, stable, between, quantile=0.95, ratio=1.5)
    assert state.overlap.candidate_k == 0
    assert max(state.fail) < 0
    assert max(state.passing) < 0


def test_thresholds_on_edges_are_exact() -> None:
    learnt = update(start(), {40: 1000}, {}, quantile=0.95, ratio=loghist.GROWTH**2)
    stable = {learnt.bucket + 1: 50, 40: 950}
    slow = {learnt.bucket + 3: 7, learnt.bucket + 2: 93}
    state = update(learnt, stable, slow, quantile=0.95, ratio=loghist.GROWTH**2)
    assert (state.overlap.stable_k, state.overlap.candidate_k) == (50, 7)


@pytest.mark.parametrize("counts", [{0: 100}, {loghist.SIZE - 1: 100}, {}])
def test_the_ends_of_the_histogram_are_no_trouble(counts: dict[int, int]) -> None:
    state = start()
    for _ in range(3):
        state = update(state, counts, counts, **GATE)
    assert judge(state, **ALPHAS) == "Inconclusive"
    assert load(state.dump()) == load(load(state.dump()).dump())


def test_a_state_survives_as_one_short_line() -> None:
    state = _rollout(1.3, most=20)
    again = load(state.dump())
    assert again.dump() == state.dump()
    assert len(state.dump()) <= 600
    assert again.bucket == state.bucket
    assert again.log_pass == pytest.approx(state.log_pass, rel=1e-6)
    with pytest.raises(ValueError, match="state"):
        load("lat1 1 2")


def test_what_is_still_needed() -> None:
    assert still_needed(start(), quantile=0.95, weight=0.05, **ALPHAS) is None
    done = _rollout(1.0)
    assert still_needed(done, quantile=0.95, weight=0.05, **ALPHAS) == 0
    begun = _rollout(1.0, most=10)
    needed = still_needed(begun, quantile=0.95, weight=0.05, **ALPHAS)
    assert needed is not None
    real = done.overlap.candidate_n - begun.overlap.candidate_n
    assert 0.3 <= needed / real <= 3.0
