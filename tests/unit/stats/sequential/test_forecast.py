"""Forecasts from the start: within a factor of two of what the tests really need."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pawl.stats import loghist
from pawl.stats.sequential import forecast, latency, mean, proportions, psi, shift
from pawl.stats.sequential.proportions import Interval

ALPHAS = (0.01 / 6, 0.01)
BOTH: dict[str, float] = {"alpha_fail": ALPHAS[0], "alpha_pass": ALPHAS[1]}
RUNS = 21
Rng = np.random.Generator


def median(run: Callable[[Rng], tuple[str, float]], verdict: str, runs: int = RUNS) -> float:
    """How many were needed; the verdict is the expected one, but for one run in a hundred."""
    found = [run(np.random.default_rng(seed)) for seed in range(runs)]
    assert sum(told != verdict for told, _ in found) <= 1
    return float(np.median([count for _, count in found]))


def within(found: float, expected: float, factor: float = 2.0) -> bool:
    return expected / factor <= found <= expected * factor


@pytest.mark.parametrize("weight", [0.05, 0.5])
@pytest.mark.parametrize(
    ("base", "effect", "verdict"),
    [
        pytest.param(0.01, 0.0, "Pass", id="as good"),
        pytest.param(0.01, 0.01, "Fail", id="worse by the margin"),
        pytest.param(0.1, 0.0, "Pass", id="as good with many errors"),
    ],
)
def test_shares(weight: float, base: float, effect: float, verdict: str):
    size = 50
    others = round(size * (1 - weight) / weight)

    def run(rng: Rng) -> tuple[str, float]:
        state = proportions.start()
        while (found := proportions.judge(state, **BOTH)) == "Inconclusive":
            bad = int(rng.binomial(others, base)), int(rng.binomial(size, base + effect))
            interval = Interval(others, bad[0], size, bad[1])
            state = proportions.update(state, interval, margin=0.01)
        return found, state.candidate_n

    assert within(median(run, verdict), forecast.of_share(base, effect, 0.01, ALPHAS, weight))


@pytest.mark.parametrize(("slower", "verdict"), [(1.0, "Pass"), (2.25, "Fail")])
@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_quantiles(slower: float, verdict: str, weight: float):
    size, spread = 20, 0.5
    others = round(size * (1 - weight) / weight)

    def durations(rng: Rng, n: int, factor: float) -> Any:
        return Counter(map(loghist.index, (factor * np.exp(rng.normal(-5, spread, n))).tolist()))

    def run(rng: Rng) -> tuple[str, float]:
        state = latency.update(
            latency.start(), durations(rng, 2000, 1), {}, quantile=0.95, ratio=1.5
        )
        while (found := latency.judge(state, **BOTH)) == "Inconclusive":
            arms = durations(rng, others, 1), durations(rng, size, slower)
            state = latency.update(state, *arms, quantile=0.95, ratio=1.5)
        return found, state.overlap.candidate_n

    assert within(
        median(run, verdict), forecast.of_quantile(0.95, 1.5, slower, spread, ALPHAS, weight)
    )


@pytest.mark.parametrize(("rate", "verdict"), [(0.02, "Pass"), (0.1, "Fail")])
def test_means(rate: float, verdict: str):
    def run(rng: Rng) -> tuple[str, float]:
        state = mean.start()
        while (found := mean.judge(state, **BOTH)) == "Inconclusive":
            k = int(rng.binomial(10, rate))
            state = mean.update(state, 10, k, k, limit=0.05)
        return found, state.n

    assert within(median(run, verdict), forecast.of_mean(rate, 0.05, ALPHAS))


@pytest.mark.parametrize(("average", "verdict"), [(0.0, "Pass"), (0.1, "Fail"), (-0.1, "Fail")])
def test_shifts(average: float, verdict: str):
    def run(rng: Rng) -> tuple[str, float]:
        state = shift.start()
        while (found := shift.judge(state, **BOTH)) == "Inconclusive":
            d = rng.normal(average, 0.05, 10)
            state = shift.update(state, 10, float(d.sum()), float((d**2).sum()), limit=0.05)
        return found, state.n

    assert within(median(run, verdict), forecast.of_shift(average, 0.05, 0.05, ALPHAS))


@pytest.mark.parametrize("weight", [0.25, 0.5])
def test_an_index(weight: float):
    size = 100
    others = round(size * (1 - weight) / weight)
    shares = np.full(10, 0.1)

    def answers(rng: Rng, n: int) -> dict[str, int]:
        return {str(i): int(k) for i, k in enumerate(rng.multinomial(n, shares)) if k}

    def run(rng: Rng) -> tuple[str, float]:
        state, candidates = psi.start(), 0
        while psi.judge(state, **BOTH) == "Inconclusive":
            state = psi.update(state, answers(rng, others), answers(rng, size), maximum=0.2)
            candidates += size
        return psi.judge(state, **BOTH), candidates

    assert within(median(run, "Pass", 5), forecast.of_index(0.2, ALPHAS, weight))


def test_what_no_verdict_is_to_be_expected_of():
    assert forecast.of_mean(0.05, 0.05, ALPHAS) == math.inf
    assert forecast.of_quantile(0.95, 1.5, 1.5, 0.5, ALPHAS, 0.5) == math.inf
    assert forecast.of_share(0.01, 0.0, 1e-9, ALPHAS, 0.5) == math.inf


def test_a_smaller_weight_needs_fewer_requests_of_the_candidate():
    found = [forecast.of_share(0.01, 0.0, 0.01, ALPHAS, w) for w in (0.05, 0.25, 0.5)]
    assert found == sorted(found)
