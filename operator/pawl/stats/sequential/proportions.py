"""Is the candidate's share of bad events larger than stable's (Fail), or by less than the margin
worse (Pass)? Δ = p_c − pₛ.

Fail: H0 Δ ≤ 0, bets of `odds` on Δ = margin × EFFECTS; Pass: H0 Δ ≥ margin, bets of `difference` on
Δ = margin × TOLERATED. Both hold when the base rate moves from interval to interval and when the
weights do, because evidence is multiplied per interval and counts are never pooled. Alternatives
are centred at the base rate seen lately (about the last MEMORY bad events).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pawl.stats.sequential.difference import bet
from pawl.stats.sequential.evidence import Verdict, add, judge, mixture, pack, unpack
from pawl.stats.sequential.odds import Interval, bets, checked, log_odds
from pawl.stats.sequential.overlap import NOTHING, Estimate, Overlap
from pawl.stats.sequential.planning import expected_requests, still_needed

__all__ = [
    "Estimate",
    "Interval",
    "TwoProportions",
    "Verdict",
    "expected_requests",
    "judge",
    "load",
    "start",
    "still_needed",
    "update",
]

EFFECTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
EFFECT_WEIGHTS = (0.12, 0.6, 0.12, 0.08, 0.04, 0.04)
TOLERATED = (0.0, -1.0, 0.5)
TOLERATED_WEIGHTS = (0.6, 0.2, 0.2)
MEMORY = 128.0
_TAG = "tp1"


@dataclass(frozen=True, slots=True)
class TwoProportions:
    """Everything that is remembered about one gate.

    `overlap` has totals and the difference for display; `recent_n`, `recent_k` are the discounted
    counts of both arms, `fail`, `passing` the log-wealth of each bet.
    """

    overlap: Overlap = NOTHING
    recent_n: float = 0.0
    recent_k: float = 0.0
    fail: tuple[float, ...] = (0.0,) * len(EFFECTS)
    passing: tuple[float, ...] = (0.0,) * len(TOLERATED)
    most_fail: float = 0.0
    most_pass: float = 0.0
    design_effect: float = 1.0

    @property
    def log_fail(self) -> float:
        """log e-value against Δ ≤ 0."""
        return mixture(EFFECT_WEIGHTS, self.fail, self.design_effect)

    @property
    def log_pass(self) -> float:
        """log e-value against Δ ≥ margin."""
        return mixture(TOLERATED_WEIGHTS, self.passing, self.design_effect)

    @property
    def stable_n(self) -> int:
        return self.overlap.stable_n

    @property
    def stable_k(self) -> int:
        return self.overlap.stable_k

    @property
    def candidate_n(self) -> int:
        return self.overlap.candidate_n

    @property
    def candidate_k(self) -> int:
        return self.overlap.candidate_k

    def difference(self) -> Estimate:
        """Δ with its 95 % confidence sequence, over the time when both arms had traffic."""
        return self.overlap.difference(self.design_effect)

    def dump(self) -> str:
        """One line, about 250 characters."""
        return pack(
            _TAG,
            [
                *self.overlap.numbers(),
                self.recent_n,
                self.recent_k,
                *self.fail,
                *self.passing,
                self.most_fail,
                self.most_pass,
                self.design_effect,
            ],
        )


def start() -> TwoProportions:
    """The state of a gate that has seen nothing."""
    return TwoProportions()


def load(text: str) -> TwoProportions:
    """A dumped state. ValueError when it is not one."""
    effects, tolerated = len(EFFECTS), len(TOLERATED)
    n = unpack(text, _TAG, Overlap.SIZE + effects + tolerated + 5)
    overlap, rest = Overlap.of(n[: Overlap.SIZE]), n[Overlap.SIZE :]
    return TwoProportions(
        overlap,
        rest[0],
        rest[1],
        tuple(rest[2 : 2 + effects]),
        tuple(rest[2 + effects : 2 + effects + tolerated]),
        *rest[-3:],
    )


def update(
    state: TwoProportions, interval: Interval, *, margin: float, design_effect: float = 1.0
) -> TwoProportions:
    """The state after one more interval (or stratum of it, such as predictions of one age).

    `margin` is that of all earlier calls, else start anew; ValueError unless 0 < margin < 1.
    `design_effect` ≥ 1 is today's estimate for everything seen so far.
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin lies between 0 and 1, not {margin:g}")
    if checked(interval).n == 0:
        return state
    forget = math.exp(-interval.k / MEMORY)
    moved = replace(
        state,
        overlap=state.overlap.plus(interval),
        recent_n=state.recent_n * forget + interval.n,
        recent_k=state.recent_k * forget + interval.k,
        fail=add(state.fail, _fail_bets(state, interval, margin)),
        passing=add(state.passing, _pass_bets(state, interval, margin)),
        design_effect=max(design_effect, 1.0),
    )
    return replace(
        moved,
        most_fail=max(moved.most_fail, moved.log_fail),
        most_pass=max(moved.most_pass, moved.log_pass),
    )


def _fail_bets(state: TwoProportions, interval: Interval, margin: float) -> tuple[float, ...]:
    """Bets that may know the interval's E, so the base rate includes it."""
    base = (state.recent_k + interval.k + 0.5) / (state.recent_n + interval.n + 1.0)
    ratios = []
    for effect in EFFECTS:
        delta = effect * margin
        stable = _near(base - interval.share * delta, base)
        candidate = min(stable + delta, 1.0 - 0.05 * (1.0 - stable))
        ratios.append(log_odds(candidate) - log_odds(stable))
    return bets(interval, ratios)


def _pass_bets(state: TwoProportions, interval: Interval, margin: float) -> tuple[float, ...]:
    """Bets that know the past only; none before there is one."""
    if state.recent_n == 0:
        return (0.0,) * len(TOLERATED)
    base = (state.recent_k + 0.5) / (state.recent_n + 1.0)
    found = []
    for tolerated in TOLERATED:
        delta = tolerated * margin
        stable = _near(base - interval.share * delta, base)
        found.append(bet(interval, stable, _near(stable + delta, base), margin))
    return tuple(found)


def _near(rate: float, base: float) -> float:
    """The rate, but not nearer to 0 or 1 than a tenth of where the base is."""
    return min(max(rate, 0.1 * base), 1.0 - 0.1 * (1.0 - base))
