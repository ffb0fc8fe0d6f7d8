"""How many requests a verdict needs.

An e-process grows per request by the Kullback–Leibler divergence between what is true and the
nearest point of its null hypothesis; it has to gain log(1/α), what the mixture of bets costs, and
it overshoots a little (OVERHEAD). Numbers are expectations: half of the rollouts need less, one in
twenty more than about 2.5 times as many.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pawl.stats.sequential.difference import project

if TYPE_CHECKING:
    from pawl.stats.sequential.proportions import TwoProportions

OVERHEAD = 1.0
_MOST = 10**9
_SEVENTHS = (-1.15, -0.67, -0.32, 0.0, 0.32, 0.67, 1.15)  # quantiles 1/8 … 7/8 of N(0, 1)


def expected_requests(
    base_rate: float,
    effect: float,
    margin: float,
    alpha_fail: float,
    alpha_pass: float,
    weight: float,
) -> int:
    """Candidate requests until the nearer verdict, from the start.

    `base_rate` is stable's share of bad events, `effect` the candidate's minus that (0: how long
    does a good version need), `weight` the candidate's share of the traffic in (0, 1).
    """
    ps, pc = _rates(base_rate, base_rate + effect)
    found = [_MOST]
    if pc > ps:
        gain = OVERHEAD - math.log(alpha_fail)
        found.append(_ratio(gain, equal_growth(ps, pc, weight)))
    if pc - ps < margin:
        gain = OVERHEAD - math.log(alpha_pass)
        found.append(_ratio(gain, margin_growth(ps, pc, margin, weight)))
    return min(found)


def still_needed(
    state: TwoProportions, *, margin: float, alpha_fail: float, alpha_pass: float, weight: float
) -> int | None:
    """Further candidate requests until the nearer verdict: the median over what the difference may
    be after what was seen (normal, with twice the margin as its spread beforehand).

    0 with a verdict; None without traffic on both arms, or when it cannot be foreseen (10⁹).
    """
    need_fail, need_pass = -math.log(alpha_fail), -math.log(alpha_pass)
    if state.most_fail >= need_fail or state.most_pass >= need_pass:
        return 0
    overlap = state.overlap
    if overlap.weight == 0 or not 0 < weight < 1:
        return None
    base = (overlap.stable_sum + overlap.candidate_sum + 0.5) / (2 * overlap.weight + 1)
    noise = base * (1 - base) * state.design_effect / overlap.weight
    spread = 1 / (1 / noise + 1 / (2 * margin) ** 2)
    centre = spread / noise * (overlap.candidate_rate - overlap.stable_rate)
    gain_fail = (need_fail - state.log_fail) * state.design_effect
    gain_pass = (need_pass - state.log_pass) * state.design_effect
    found = []
    for z in _SEVENTHS:
        delta = centre + z * math.sqrt(spread)
        ps, pc = _rates(base - delta / 2, base + delta / 2)
        nearer = _MOST
        if pc > ps:
            nearer = _ratio(gain_fail, equal_growth(ps, pc, weight))
        if pc - ps < margin:
            nearer = min(nearer, _ratio(gain_pass, margin_growth(ps, pc, margin, weight)))
        found.append(nearer)
    needed = max(sorted(found)[len(found) // 2], 1)
    return None if needed >= _MOST else needed


def equal_growth(ps: float, pc: float, weight: float) -> float:
    """Nats per candidate request against "the rates are equal"."""
    pooled = (1 - weight) * ps + weight * pc
    return ((1 - weight) * divergence(ps, pooled) + weight * divergence(pc, pooled)) / weight


def margin_growth(ps: float, pc: float, margin: float, weight: float) -> float:
    """Nats per candidate request against "the candidate is worse by the margin"."""
    edge = project(1 - weight, weight, ps, pc, margin)
    stable, candidate = divergence(ps, edge), divergence(pc, edge + margin)
    return ((1 - weight) * stable + weight * candidate) / weight


def divergence(q: float, p: float) -> float:
    """KL(q‖p) of two Bernoulli rates inside (0, 1)."""
    return q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))


def _rates(stable: float, candidate: float) -> tuple[float, float]:
    low, high = 1e-6, 1 - 1e-6
    return min(max(stable, low), high), min(max(candidate, low), high)


def _ratio(gain: float, growth: float) -> int:
    return min(math.ceil(gain / growth), _MOST) if growth * _MOST > gain else _MOST
