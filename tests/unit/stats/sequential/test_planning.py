"""What is promised about waiting times holds within a factor of two."""

from __future__ import annotations

import numpy as np
import pytest

from pawl.stats.sequential import proportions
from pawl.stats.sequential.proportions import (
    Interval,
    TwoProportions,
    expected_requests,
    judge,
    start,
    still_needed,
    update,
)

ALPHAS = {"alpha_fail": 0.01 / 6, "alpha_pass": 0.01}
ROLLOUTS = 40


def _rollout(
    generator: np.random.Generator, base: float, effect: float, margin: float, weight: float
) -> list[TwoProportions]:
    """States until the verdict."""
    states, state = [], start()
    while judge(state, **ALPHAS) == "Inconclusive" and state.candidate_n < 100_000:
        nc = int(generator.binomial(500, weight))
        ks, kc = generator.binomial(500 - nc, base), generator.binomial(nc, base + effect)
        state = update(state, Interval(500 - nc, int(ks), nc, int(kc)), margin=margin)
        states.append(state)
    return states


@pytest.mark.parametrize(
    ("base", "effect", "margin", "weight"),
    [
        pytest.param(0.01, 0.0, 0.01, 0.05, id="same at 5 %"),
        pytest.param(0.01, 0.0, 0.01, 0.5, id="same at 50 %"),
        pytest.param(0.01, 0.01, 0.01, 0.05, id="worse at 5 %"),
        pytest.param(0.01, 0.01, 0.01, 0.5, id="worse at 50 %"),
        pytest.param(0.15, 0.0, 0.03, 0.25, id="accuracy, same"),
        pytest.param(0.15, 0.06, 0.03, 0.25, id="accuracy, worse"),
    ],
)
def test_expected_requests(base: float, effect: float, margin: float, weight: float) -> None:
    generator = np.random.default_rng(8)
    rollouts = [_rollout(generator, base, effect, margin, weight) for _ in range(ROLLOUTS)]
    real = np.mean([states[-1].candidate_n for states in rollouts])
    planned = expected_requests(
        base, effect, margin, ALPHAS["alpha_fail"], ALPHAS["alpha_pass"], weight
    )
    assert 0.5 <= planned / real <= 2.0


@pytest.mark.parametrize(
    ("effect", "weight"),
    [(0.0, 0.05), (0.0, 0.5), (0.01, 0.05), (0.01, 0.5)],
)
def test_still_needed_half_way(effect: float, weight: float) -> None:
    """On average; one rollout's remaining time is a matter of luck."""
    generator = np.random.default_rng(9)
    promised, real = 0.0, 0.0
    for _ in range(ROLLOUTS):
        states = _rollout(generator, 0.01, effect, 0.01, weight)
        half = states[len(states) // 2]
        needed = still_needed(half, margin=0.01, weight=weight, **ALPHAS)
        if needed is not None:
            promised += needed
            real += states[-1].candidate_n - half.candidate_n
    assert 0.5 <= promised / real <= 2.0


def test_after_a_verdict_nothing_is_needed() -> None:
    states = _rollout(np.random.default_rng(1), 0.01, 0.0, 0.01, 0.05)
    assert still_needed(states[-1], margin=0.01, weight=0.05, **ALPHAS) == 0


def test_what_cannot_be_foreseen_is_not_promised() -> None:
    one_arm = update(start(), Interval(500, 5, 0, 0), margin=0.01)
    assert still_needed(one_arm, margin=0.01, weight=0.05, **ALPHAS) is None
    both = update(one_arm, Interval(475, 5, 25, 0), margin=0.01)
    assert still_needed(both, margin=0.01, weight=0.0, **ALPHAS) is None


def test_a_smaller_margin_needs_more_and_a_larger_effect_less() -> None:
    def planned(effect: float, margin: float) -> int:
        return expected_requests(0.02, effect, margin, 0.01 / 6, 0.01, 0.1)

    assert planned(0.0, 0.002) > 10 * planned(0.0, 0.01)
    assert planned(0.1, 0.01) < planned(0.02, 0.01) / 5
    assert proportions.expected_requests is expected_requests


def test_correlated_requests_need_more() -> None:
    plain, halved = start(), start()
    for _ in range(10):
        plain = update(plain, Interval(475, 5, 25, 0), margin=0.01)
        halved = update(halved, Interval(475, 5, 25, 0), margin=0.01, design_effect=3.0)
    one, three = (still_needed(s, margin=0.01, weight=0.05, **ALPHAS) for s in (plain, halved))
    assert one is not None
    assert three is not None
    assert three > 2 * one
