"""Traffic that is not shared out as configured is noticed; chance is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pawl.stats.sequential.ratio import SampleRatio, load, start, update


def _after(generator: np.random.Generator, real: list[float], told: list[float]) -> SampleRatio:
    state = start()
    for share, configured in zip(real, told, strict=True):
        nc = int(generator.binomial(500, share))
        state = update(state, 500 - nc, nc, share=configured)
    return state


@given(st.integers(1, 40), st.floats(0.01, 0.99))
def test_the_right_share_is_not_expected_to_be_called_wrong(n: int, share: float) -> None:
    before = update(start(), 90, 20, share=0.2)
    growth = sum(
        binom.pmf(k, n, share)
        * math.exp(update(before, n - k, k, share=share).log_mismatch - before.log_mismatch)
        for k in range(n + 1)
    )
    assert growth == pytest.approx(1.0)


def test_a_wrong_share_is_noticed() -> None:
    generator = np.random.default_rng(1)
    assert _after(generator, [0.06] * 60, [0.05] * 60).mismatch()
    assert _after(generator, [0.0] * 2, [0.25] * 2).mismatch()


def test_evidence_is_gathered_over_steps() -> None:
    real, told = [0.06] * 25 + [0.28] * 15, [0.05] * 25 + [0.25] * 15
    states = [_after(np.random.default_rng(seed), real, told) for seed in range(10)]
    assert sum(state.mismatch() for state in states) >= 8


def test_chance_is_not_a_mismatch() -> None:
    shares = [0.05] * 100 + [0.5] * 100
    assert not any(
        _after(np.random.default_rng(seed), shares, shares).mismatch(0.01) for seed in range(40)
    )


def test_users_count_as_one() -> None:
    """20 requests of each user go the same way: 60 instead of 50 of 1,000 users are no surprise."""
    assert update(start(), 18_800, 1_200, share=0.05).mismatch()
    assert not update(start(), 18_800, 1_200, share=0.05, design_effect=20.0).mismatch()


def test_a_state_survives_as_one_short_line() -> None:
    state = _after(np.random.default_rng(3), [0.3] * 5, [0.25] * 5)
    assert load(state.dump()).dump() == state.dump()
    assert len(state.dump()) <= 600
    assert state.expected == 0.25 * 2500
    with pytest.raises(ValueError, match="state"):
        load("srm1 0")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_a_share_there_is_nothing_to_test(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        update(start(), 1, 1, share=share)
