"""Is the mean of numbers in [0, 1] above a limit (Fail) or below it (Pass)?

For one stream without a counterpart: the share of shadow pairs that disagree, the prediction error.
Betting (Waudby-Smith & Ramdas 2024): Π(1 + λ(xᵢ − limit)) is an e-process against mean ≤ limit for
λ > 0, against mean ≥ limit for λ < 0, also when the mean moves on its side of the limit. Intervals
arrive as (n, Σx, Σx²), so each bet counts the larger of two lower bounds of its log-wealth: the one
of a Bernoulli variable of the same mean (exact when every x is 0 or 1) and the one from the square
(Fan, Grama & Liu 2015: log(1 + y) ≥ y + y²(log(1 − c) + c)/c² for y ≥ −c).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pawl.stats.sequential.evidence import add, judge, mixture, pack, unpack
from pawl.stats.sequential.odds import log_odds
from pawl.stats.sequential.overlap import Estimate
from pawl.stats.sequential.planning import divergence

__all__ = ["BoundedMean", "judge", "load", "start", "still_needed", "update"]

SHIFTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)  # alternatives: log-odds away from the limit
_WEIGHTS = (1 / len(SHIFTS),) * len(SHIFTS)
_ETA = 250.0
_TAG = "mean1"


@dataclass(frozen=True, slots=True)
class BoundedMean:
    """Totals and the log-wealth of every bet."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    fail: tuple[float, ...] = (0.0,) * len(SHIFTS)
    passing: tuple[float, ...] = (0.0,) * len(SHIFTS)
    most_fail: float = 0.0
    most_pass: float = 0.0
    design_effect: float = 1.0

    @property
    def log_fail(self) -> float:
        """log e-value against mean ≤ limit."""
        return mixture(_WEIGHTS, self.fail, self.design_effect)

    @property
    def log_pass(self) -> float:
        """log e-value against mean ≥ limit."""
        return mixture(_WEIGHTS, self.passing, self.design_effect)

    def estimate(self) -> Estimate:
        """The mean with its 95 % confidence sequence (normal mixture, asymptotic: for display)."""
        if self.n == 0:
            return Estimate(0.0, 0.0, 1.0)
        value = self.total / self.n
        spread = (self.squares + 0.5) / (self.n + 1) - (self.total / (self.n + 1)) ** 2
        one = max(spread, 1e-9) * self.design_effect
        variance, eta = self.n * one, _ETA * one
        half = math.sqrt((variance + eta) * math.log((variance + eta) / (eta * 0.0025))) / self.n
        return Estimate(value, max(value - half, 0.0), min(value + half, 1.0))

    def dump(self) -> str:
        """One line, about 200 characters."""
        most = (self.most_fail, self.most_pass, self.design_effect)
        return pack(_TAG, [self.n, self.total, self.squares, *self.fail, *self.passing, *most])


def start() -> BoundedMean:
    """The state of a gate that has seen nothing."""
    return BoundedMean()


def load(text: str) -> BoundedMean:
    """A dumped state. ValueError when it is not one."""
    size = len(SHIFTS)
    n = unpack(text, _TAG, 6 + 2 * size)
    fail, passing = tuple(n[3 : 3 + size]), tuple(n[3 + size : 3 + 2 * size])
    return BoundedMean(round(n[0]), n[1], n[2], fail, passing, *n[-3:])


def update(
    state: BoundedMean,
    n: int,
    total: float,
    squares: float,
    *,
    limit: float,
    design_effect: float = 1.0,
) -> BoundedMean:
    """The state after n more numbers with sum `total` and sum of squares `squares`.

    `limit` in (0, 1) is that of all earlier calls, else start anew. ValueError for a limit outside,
    or sums that numbers in [0, 1] cannot have.
    """
    if not 0 < limit < 1:
        raise ValueError(f"a limit lies between 0 and 1, not {limit:g}")
    slack = 1e-9 * max(n, 1)
    if (
        n < 0
        or not total**2 - slack * n <= squares * n
        or not squares - slack <= total <= n + slack
    ):
        raise ValueError(f"{n} numbers in [0, 1] cannot have sums {total:g} and {squares:g}")
    if n == 0:
        return state
    moved = replace(
        state,
        n=state.n + n,
        total=state.total + total,
        squares=state.squares + squares,
        fail=add(state.fail, [_bet(n, total, squares, limit, x) for x in SHIFTS]),
        passing=add(state.passing, [_bet(n, total, squares, limit, -x) for x in SHIFTS]),
        design_effect=max(design_effect, 1.0),
    )
    return replace(
        moved,
        most_fail=max(moved.most_fail, moved.log_fail),
        most_pass=max(moved.most_pass, moved.log_pass),
    )


def still_needed(
    state: BoundedMean, *, limit: float, alpha_fail: float, alpha_pass: float
) -> int | None:
    """Further numbers until the nearer verdict, if the mean stays as it looks; 0 with a verdict,
    None when it cannot be foreseen."""
    need_fail, need_pass = -math.log(alpha_fail), -math.log(alpha_pass)
    if state.most_fail >= need_fail or state.most_pass >= need_pass:
        return 0
    if state.n == 0:
        return None
    mean = (state.total + limit) / (state.n + 1)
    gain = need_fail - state.log_fail if mean > limit else need_pass - state.log_pass
    growth = divergence(min(max(mean, 1e-6), 1 - 1e-6), limit)
    needed = gain * state.design_effect / growth if growth > 0 else math.inf
    return None if needed > 1e9 else max(math.ceil(needed), 1)


def _bet(n: int, total: float, squares: float, limit: float, shift: float) -> float:
    q = 1 / (1 + math.exp(-(log_odds(limit) + shift)))
    binary = total * math.log(q / limit) + (n - total) * math.log((1 - q) / (1 - limit))
    rate = (q - limit) / (limit * (1 - limit))
    c = (q - limit) / (1 - limit) if shift > 0 else (limit - q) / limit
    spread = squares - 2 * limit * total + n * limit**2
    from_squares = rate * (total - n * limit) + rate**2 * spread * (math.log1p(-c) + c) / c**2
    return max(binary, from_squares)
