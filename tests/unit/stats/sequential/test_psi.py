"""The stability index of two arms: exact optimisation, bins that are learnt, verdicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import gammaln

from pawl.stats.sequential.frontier import (
    FLOOR,
    SLACK,
    Arms,
    evidence_above,
    evidence_below,
    index_of,
)
from pawl.stats.sequential.groups import Groups, learn
from pawl.stats.sequential.psi import Psi, judge, load, start, still_needed, update

ALPHAS = {"alpha_fail": 0.01 / 6, "alpha_pass": 0.01}
EVEN = np.full(10, 0.1)


def _named(counts: np.ndarray) -> dict[str, int]:
    return {str(100 + i): int(n) for i, n in enumerate(counts)}


def _rollout(
    g: np.ndarray,
    weight: float = 0.05,
    maximum: float = 0.2,
    most: int = 250,
    seed: int = 1,
) -> Psi:
    generator, state = np.random.default_rng(seed), start()
    for _ in range(most):
        nc = int(generator.binomial(500, weight))
        stable, candidate = generator.multinomial(500 - nc, EVEN), generator.multinomial(nc, g)
        state = update(state, _named(stable), _named(candidate), maximum=maximum)
        if judge(state, **ALPHAS) != "Inconclusive":
            break
    return state


def _tilted(by: float) -> np.ndarray:
    g = np.exp(by * np.arange(10))
    return g / g.sum()


@pytest.mark.parametrize(
    ("g", "verdict", "most"),
    [
        pytest.param(EVEN, "Pass", 1500, id="same"),
        pytest.param(_tilted(0.05), "Pass", 2000, id="a little different: 0.02"),
        pytest.param(_tilted(0.35), "Fail", 2000, id="too different: 0.8"),
        pytest.param(np.eye(10)[0], "Fail", 200, id="always the same answer"),
    ],
)
def test_verdicts(g: np.ndarray, verdict: str, most: int) -> None:
    state = _rollout(g)
    assert judge(state, **ALPHAS) == verdict
    assert state.candidate_n <= most


@pytest.mark.parametrize("by", [0.236, 0.167])
def test_at_the_limit_wrong_verdicts_are_rare(twin: Any, by: float) -> None:
    """Indices of 0.4 and 0.2, as limits; at 5 % each, over 25 looks."""
    generator, size = np.random.default_rng(3), 60
    g = _tilted(by)
    limit = index_of(EVEN.tolist(), g.tolist())
    gate = twin.Psi(limit, generator.multinomial(300, EVEN, size))
    for _ in range(25):
        gate.update(generator.multinomial(300, EVEN, size), generator.multinomial(150, g, size))
    assert np.mean(gate.most_fail >= -math.log(0.05)) <= 0.05
    assert np.mean(gate.most_pass >= -math.log(0.05)) <= 0.05


def test_answers_that_move_with_the_hour_are_no_difference() -> None:
    """Pooled over the steps the arms would differ (Simpson)."""
    generator, state = np.random.default_rng(7), start()
    for weight, f in [(0.05, EVEN)] * 60 + [(0.5, _tilted(0.3))] * 20:
        nc = int(generator.binomial(500, weight))
        stable, candidate = generator.multinomial(500 - nc, f), generator.multinomial(nc, f)
        state = update(state, _named(stable), _named(candidate), maximum=0.1)
    assert judge(state, **ALPHAS) == "Pass"
    assert state.value() < 0.02


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_is_the_minimum(seed: int) -> None:
    """Against a general optimiser over all pairs of distributions."""
    generator = np.random.default_rng(seed)
    f = generator.dirichlet(np.full(4, 3.0))
    g = f if seed % 2 else generator.dirichlet(f * 50)
    stable, candidate = 0.5 * generator.multinomial(1600, f), 0.5 * generator.multinomial(1600, g)
    a = 400 * (f * 0.98 + 0.005)
    limit = 0.15
    arms = Arms(stable.tolist(), candidate.tolist(), 800.0, a.tolist())

    def phi(sums: np.ndarray, rates: np.ndarray) -> float:
        mu = 800.0 * rates
        terms = mu + a * np.log(a) - gammaln(a) + gammaln(sums + a) - (sums + a) * np.log(mu + a)
        return float(terms.sum())

    def whole(x: np.ndarray) -> float:
        return phi(stable, x[:4]) + phi(candidate, x[4:])

    def index(x: np.ndarray) -> float:
        return index_of(x[:4].tolist(), x[4:].tolist())

    observed = np.concatenate([stable, candidate]) / 800.0
    above = index(observed) < limit
    sign = 1.0 if above else -1.0
    found = (evidence_above if above else evidence_below)(arms, limit)
    best = math.inf
    for _ in range(30):
        begin = np.clip(observed * np.exp(generator.normal(0, 0.3, 8)), 1e-4, 1)
        result = minimize(
            whole,
            begin,
            bounds=[(1e-6, 1.0)] * 8,
            constraints={"type": "ineq", "fun": lambda x: sign * (index(x) - limit)},
        )
        if result.success and sign * (index(result.x) - limit) >= -1e-6:
            best = min(best, result.fun)
    assert best - 1.0 <= found <= best + 1e-3
    assert (evidence_below if above else evidence_above)(arms, limit) == -math.inf


def test_a_slack_is_taken_off_and_an_empty_bin_is_no_infinity() -> None:
    assert SLACK > 0
    assert index_of([1.0, 0.0], [0.9, 0.1]) == pytest.approx(
        -0.1 * math.log(0.9) + 0.1 * math.log((0.1 + FLOOR) / FLOOR), rel=1e-3
    )


def test_many_bins_become_ten_of_about_the_same_share() -> None:
    answers = {str(i): 1 + (i % 3) for i in range(300, 500)}
    groups = learn(Groups(), answers, 200)
    assert groups.fixed
    assert groups.ordered
    assert len(groups.counts) == 11
    whole = sum(answers.values())
    assert all(0.08 <= n / whole <= 0.12 for n in groups.counts[:-1])
    assert groups.count({"10": 2, "499": 3, "900": 4, "(none)": 5}) == [2, *[0] * 8, 7, 5]


def test_few_bins_and_names_stay_as_they_are() -> None:
    assert len(learn(Groups(), {"3": 150, "7": 60}, 200).keys) == 2
    names = learn(Groups(), {f"class {i}": 100 - i for i in range(30)}, 200)
    assert not names.ordered
    assert len(names.keys) == 15
    counted = names.count({"class 0": 4, "class 29": 2, "new": 1})
    assert sorted(counted[:-1]) == [0] * 14 + [4]
    assert counted[-1] == 3


@given(
    st.lists(
        st.dictionaries(
            st.integers(0, 1023).map(str) | st.text(max_size=60), st.integers(1, 20), max_size=20
        ),
        max_size=8,
    )
)
def test_a_state_survives_as_one_short_line(intervals: list[dict[str, int]]) -> None:
    state = start()
    for answers in intervals:
        state = update(state, answers, answers, maximum=0.2)
        assert load(state.dump()).dump() == state.dump()
        assert len(state.dump()) <= 850
    assert judge(state, **ALPHAS) != "Fail"


@pytest.mark.parametrize("text", ["", "psi1", "psi1 1 1 2 3", "psi1 0 1 0 0 0 0"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="state"):
        load(text)


def test_what_is_still_needed() -> None:
    assert still_needed(start(), maximum=0.2, weight=0.05, **ALPHAS) is None
    done = _rollout(EVEN)
    assert still_needed(done, maximum=0.2, weight=0.05, **ALPHAS) == 0
    begun = _rollout(EVEN, most=15)
    needed = still_needed(begun, maximum=0.2, weight=0.05, **ALPHAS)
    assert needed is not None
    assert 0.5 <= needed / (done.candidate_n - begun.candidate_n) <= 2.0


def test_correlated_answers_count_less() -> None:
    plain, halved = start(), start()
    for i in range(40):
        counts = _named(np.full(10, 20 + i % 2))
        plain = update(plain, counts, counts, maximum=0.2)
        halved = update(halved, counts, counts, maximum=0.2, design_effect=4.0)
    assert halved.most_pass < plain.most_pass


def test_a_limit_that_nothing_could_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        update(start(), {}, {}, maximum=0.0)
