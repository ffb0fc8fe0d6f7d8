"""Design effects are read off how much user buckets scatter."""

from __future__ import annotations

import numpy as np
import pytest

from pawl.stats.sequential.clusters import BUCKETS, design_effect, share_design_effect


def _arm(
    generator: np.random.Generator, users: int, requests: int, rate: float, correlation: float
) -> list[tuple[int, int]]:
    buckets = np.zeros((BUCKETS, 2), dtype=int)
    if correlation:
        r = 1 / correlation - 1
        rates = generator.beta(rate * r, (1 - rate) * r, users)
    else:
        rates = np.full(users, rate)
    at = generator.integers(0, BUCKETS, users)
    np.add.at(buckets[:, 0], at, requests)
    np.add.at(buckets[:, 1], at, generator.binomial(requests, rates))
    return [(int(n), int(k)) for n, k in buckets]


@pytest.mark.parametrize(
    ("correlation", "effect"),
    [
        pytest.param(0.0, 1.0, id="independent"),
        pytest.param(0.1, 1 + 19 * 0.1, id="1 + (m − 1)·ρ"),
        pytest.param(0.5, 1 + 19 * 0.5, id="strong"),
    ],
)
def test_the_design_effect_is_found(correlation: float, effect: float) -> None:
    generator = np.random.default_rng(1)
    found = [
        design_effect(
            _arm(generator, 4000, 20, 0.1, correlation), _arm(generator, 400, 20, 0.1, correlation)
        )
        for _ in range(20)
    ]
    assert effect * 0.95 <= np.mean(found) <= effect * 1.25
    assert min(found) >= 1.0


def test_what_is_on_the_safe_side_is_more_with_few_bad_events() -> None:
    generator = np.random.default_rng(1)
    few = [
        design_effect(_arm(generator, 4000, 5, 0.002, 0), _arm(generator, 400, 5, 0.002, 0))
        for _ in range(40)
    ]
    assert 1.2 <= np.mean(few) <= 2.5


def test_one_user_who_fails_always_is_one_event() -> None:
    stable = [(40, 0)] * BUCKETS
    candidate = [(2, 0)] * (BUCKETS - 1) + [(22, 20)]
    assert design_effect(stable, candidate) > 15


@pytest.mark.parametrize(
    ("stable", "candidate"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([(5, 1)] * 7, [(5, 1)] * 7, id="too few buckets"),
        pytest.param([(5, 0)] * 50, [(5, 0)] * 50, id="no bad event"),
        pytest.param([(5, 5)] * 50, [(0, 0)] * 50, id="nothing but bad events"),
    ],
)
def test_where_nothing_is_known_it_is_one(
    stable: list[tuple[int, int]], candidate: list[tuple[int, int]]
) -> None:
    assert design_effect(stable, candidate) == 1.0


def test_the_share_of_sticky_users() -> None:
    """Each user's 20 requests go the same way: D is about 20."""
    generator = np.random.default_rng(4)
    found = []
    for _ in range(20):
        at, canary = generator.integers(0, BUCKETS, 3000), generator.random(3000) < 0.1
        stable, candidate = (
            20 * np.bincount(at[arm], minlength=BUCKETS) for arm in (~canary, canary)
        )
        found.append(share_design_effect(stable.tolist(), candidate.tolist(), 0.1))
    assert 18 <= np.mean(found) <= 23


def test_the_share_of_independent_requests() -> None:
    generator = np.random.default_rng(4)
    requests = generator.poisson(40, BUCKETS)
    candidate = generator.binomial(requests, 0.1)
    found = share_design_effect((requests - candidate).tolist(), candidate.tolist(), 0.1)
    assert 1.0 <= found <= 1.3
    assert share_design_effect([0] * 9, [0] * 9, 0.1) == 1.0
    assert share_design_effect([3] * 9, [0] * 9, 0.1) == 1.0
