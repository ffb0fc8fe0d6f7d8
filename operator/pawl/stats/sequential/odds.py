"""Bets on "the candidate has another rate than stable", for counts whose base rate may move.

Of the n = nₛ + n_c requests of an interval E were bad. If candidate and stable are equally good,
which E of them were bad has nothing to do with who served them: the candidate's count K is
hypergeometric, whatever the rate was (Lindon & Malek 2022 use the binomial limit of rare events;
the exact one costs a sum over K and keeps its power at rates of tens of percent). The bet for an
odds ratio ψ is the likelihood ratio of Fisher's noncentral to the central hypergeometric
distribution, e = ψ^K / E₀[ψ^K]. With ψ > 1 it increases in K, so E[e] ≤ 1 for every Δ ≤ 0, with
ψ < 1 for every Δ ≥ 0. ψ may depend on the past and on (nₛ, n_c, E), never on K.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_NEGLIGIBLE = 1e-17


class Interval(NamedTuple):
    """Requests and bad ones among them, of one poll interval (or one stratum of it)."""

    stable_n: int
    stable_k: int
    candidate_n: int
    candidate_k: int

    @property
    def n(self) -> int:
        return self.stable_n + self.candidate_n

    @property
    def k(self) -> int:
        return self.stable_k + self.candidate_k

    @property
    def share(self) -> float:
        """The candidate's share of the requests."""
        return self.candidate_n / self.n


def checked(interval: Interval) -> Interval:
    """The interval. ValueError when its counts cannot be."""
    for n, k in (interval[:2], interval[2:]):
        if not 0 <= k <= n:
            raise ValueError(f"{k} bad of {n} requests")
    return interval


def bets(interval: Interval, log_odds_ratios: Sequence[float]) -> tuple[float, ...]:
    """log e of each odds ratio; zeros where the interval cannot tell the arms apart."""
    if not 0 < interval.k < interval.n or not 0 < interval.candidate_n < interval.n:
        return tuple(0.0 for _ in log_odds_ratios)
    return tuple(
        interval.candidate_k * x - _log_moment(interval, x) if x else 0.0 for x in log_odds_ratios
    )


def log_odds(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _log_moment(interval: Interval, x: float) -> float:
    """log E[exp(x·K)] of the hypergeometric K: its terms summed outwards from the largest."""
    stable, candidate, bad = interval.stable_n, interval.candidate_n, interval.k
    first, last = max(0, bad - stable), min(bad, candidate)
    tilt = math.exp(x)
    top = _mode(stable, candidate, bad, tilt, first, last)
    whole = _sum(stable, candidate, bad, tilt, top, first, last)
    log_top = (
        _log_choose(candidate, top)
        + _log_choose(stable, bad - top)
        - _log_choose(stable + candidate, bad)
    )
    return log_top + x * top + math.log(whole)


def _sum(
    stable: int, candidate: int, bad: int, tilt: float, top: int, first: int, last: int
) -> float:
    """Σ of the terms in units of the one at `top`."""
    whole, term = 1.0, 1.0
    for k in range(top, last):
        term *= tilt * (candidate - k) * (bad - k) / ((k + 1) * (stable - bad + k + 1))
        whole += term
        if term < _NEGLIGIBLE * whole:
            break
    term = 1.0
    for k in range(top, first, -1):
        term *= k * (stable - bad + k) / (tilt * (candidate - k + 1) * (bad - k + 1))
        whole += term
        if term < _NEGLIGIBLE * whole:
            break
    return whole


def _mode(stable: int, candidate: int, bad: int, tilt: float, first: int, last: int) -> int:
    """Where the terms ψᵏ C(n_c, k) C(nₛ, E − k) are largest: (root of a quadratic, Fisher 1935)."""
    a = tilt - 1.0
    b = -(tilt * (candidate + bad + 2) + stable - bad)
    c = tilt * (candidate + 1) * (bad + 1)
    root = 2.0 * c / (-b + math.sqrt(max(b * b - 4.0 * a * c, 0.0)))
    return min(max(math.floor(root), first), last)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
