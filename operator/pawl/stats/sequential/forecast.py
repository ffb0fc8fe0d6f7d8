"""How many requests of the candidate a gate needs from its start, when both arms are as supposed.

An e-process gains per request the divergence between what is true and the nearest point of its null
hypothesis (`planning`), so evidence from steps of different weight adds: n requests at a weight for
which N are needed are n/N of a verdict. Medians; infinity where no verdict is to be expected.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from pawl.stats.sequential import planning, psi, shift
from pawl.stats.sequential.groups import Groups

_MOST = 1e9
_MANY = 100_000
_NORMAL = NormalDist()


def of_share(
    base: float, effect: float, margin: float, alphas: tuple[float, float], weight: float
) -> float:
    """Two shares of bad events: stable's `base`, the candidate's `effect` higher; `alphas` are of
    Fail and Pass, `weight` is the candidate's share of the requests."""
    return _finite(planning.expected_requests(base, effect, margin, *alphas, weight))


def of_quantile(
    quantile: float,
    ratio: float,
    slower: float,
    spread: float,
    alphas: tuple[float, float],
    weight: float,
) -> float:
    """A latency quantile against `ratio` times stable's, when the candidate takes `slower` times as
    long and durations are log-normal with standard deviation `spread` of their logarithm."""
    usual = 1 - quantile
    beyond = _NORMAL.inv_cdf(quantile) + math.log(ratio / slower) / spread
    share = min(max(1 - _NORMAL.cdf(beyond), 1e-6), 1 - 1e-6)
    alpha = alphas[0] if share > usual else alphas[1]
    return _needed(alpha, planning.equal_growth(usual, share, weight))


def of_mean(mean: float, limit: float, alphas: tuple[float, float]) -> float:
    """The mean of numbers that are 0 or 1 against a limit."""
    alpha = alphas[0] if mean > limit else alphas[1]
    return _needed(alpha, planning.divergence(min(max(mean, 1e-6), 1 - 1e-6), limit))


def of_shift(mean: float, spread: float, limit: float, alphas: tuple[float, float]) -> float:
    """Differences in [−1, 1] of that mean and standard deviation, whose mean shall lie within ±
    limit: by what the test itself gains from very many of them."""
    squares = _MANY * (mean**2 + spread**2)
    state = shift.update(shift.start(), _MANY, _MANY * mean, squares, limit=limit)
    if abs(mean) > limit:
        return _needed(alphas[0], state.log_fail / _MANY)
    return _needed(alphas[1], state.log_pass / _MANY)


def of_index(maximum: float, alphas: tuple[float, float], weight: float) -> float:
    """A stability index that is 0 (a Pass), or four times the maximum (a Fail): alike far away."""
    nothing = psi.Psi(Groups(), weight=1e-9)
    found = psi.still_needed(
        nothing, maximum=maximum, alpha_fail=alphas[0], alpha_pass=alphas[1], weight=weight
    )
    return math.inf if found is None else found + psi.LEARN * weight


def _needed(alpha: float, growth: float) -> float:
    gain = planning.OVERHEAD - math.log(alpha)
    return _finite(math.ceil(gain / growth) if growth > 0 else math.inf)


def _finite(count: float) -> float:
    return count if count < _MOST else math.inf
