"""Is the candidate's latency quantile above `ratio` times stable's?

From two histograms per interval. With t stable's q-quantile as *earlier* intervals saw it: the
candidate is too slow when it exceeds ratio·t more often than stable exceeds t (Fail: H0 p_c ≤ pₛ),
good when less often (Pass: H0 p_c ≥ pₛ). Any t known beforehand is valid; an old one only costs
power. Thresholds are bucket edges, so counts are exact: t on stable's nearest edge, ratio·t rounded
up for Fail and down for Pass, both to the safe side (by less than 5 %).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pawl.stats import loghist
from pawl.stats.loghist import Counts
from pawl.stats.sequential.evidence import add, judge, mixture, pack, unpack
from pawl.stats.sequential.odds import Interval, bets, log_odds
from pawl.stats.sequential.overlap import NOTHING, Overlap
from pawl.stats.sequential.planning import equal_growth

__all__ = ["Latency", "judge", "load", "start", "still_needed", "update"]

SLOWER = (1.25, 1.5, 2.0, 3.0, 6.0)  # the candidate's slow share in units of stable's, 1 − q
FASTER = (0.8, 0.6, 0.4, 0.2, 0.05)
MEMORY = 10_000.0  # requests that stable's quantile is remembered for
_GROWTH = math.log(loghist.GROWTH)
_TAG = "lat1"


@dataclass(frozen=True, slots=True)
class Latency:
    """`position` is log(t / BASE) in buckets, learnt from `seen` requests; `overlap` counts slow
    requests, stable's above t and the candidate's above ratio·t (rounded up)."""

    position: float = 0.0
    seen: float = 0.0
    overlap: Overlap = NOTHING
    fail: tuple[float, ...] = (0.0,) * len(SLOWER)
    passing: tuple[float, ...] = (0.0,) * len(FASTER)
    most_fail: float = 0.0
    most_pass: float = 0.0
    design_effect: float = 1.0

    @property
    def threshold(self) -> float:
        """t in seconds, for the next interval; 0 before there is one."""
        return loghist.upper(self.bucket) if self.seen else 0.0

    @property
    def bucket(self) -> int:
        """The bucket whose upper edge is t."""
        return min(max(round(self.position), 0), loghist.SIZE - 2)

    @property
    def log_fail(self) -> float:
        """log e-value against "exceeds ratio·t at most as often"."""
        return mixture((1 / len(SLOWER),) * len(SLOWER), self.fail, self.design_effect)

    @property
    def log_pass(self) -> float:
        """log e-value against "exceeds ratio·t at least as often"."""
        return mixture((1 / len(FASTER),) * len(FASTER), self.passing, self.design_effect)

    def dump(self) -> str:
        """One line, about 250 characters."""
        most = (self.most_fail, self.most_pass, self.design_effect)
        learnt = (self.position, self.seen)
        return pack(_TAG, [*learnt, *self.overlap.numbers(), *self.fail, *self.passing, *most])


def start() -> Latency:
    """The state of a gate that has seen nothing."""
    return Latency()


def load(text: str) -> Latency:
    """A dumped state. ValueError when it is not one."""
    slower, faster = len(SLOWER), len(FASTER)
    n = unpack(text, _TAG, 2 + Overlap.SIZE + slower + faster + 3)
    rest = n[2 + Overlap.SIZE :]
    return Latency(
        n[0],
        n[1],
        Overlap.of(n[2 : 2 + Overlap.SIZE]),
        tuple(rest[:slower]),
        tuple(rest[slower : slower + faster]),
        *rest[-3:],
    )


def update(
    state: Latency,
    stable: Counts,
    candidate: Counts,
    *,
    quantile: float,
    ratio: float,
    design_effect: float = 1.0,
) -> Latency:
    """The state after the histograms of one more interval; the first only teaches the threshold.

    `quantile` in (0, 1) and `ratio` > 0 are those of all earlier calls, else start anew.
    """
    moved = replace(state, design_effect=max(design_effect, 1.0))
    if state.seen:
        usual = log_odds(1 - quantile)
        shift = math.log(ratio) / _GROWTH
        up = state.bucket + math.ceil(shift - 1e-9)
        # nothing is known of what lies in the open bucket: slow for Pass, not for Fail
        down = min(state.bucket + math.floor(shift + 1e-9), loghist.SIZE - 2)
        above = _slow(stable, candidate, state.bucket, up)
        below = _slow(stable, candidate, state.bucket, down)
        slower = [log_odds(_rate(m, quantile)) - usual for m in SLOWER]
        faster = [log_odds(_rate(m, quantile)) - usual for m in FASTER]
        moved = replace(
            moved,
            overlap=state.overlap.plus(above) if above.n else state.overlap,
            fail=add(state.fail, bets(above, slower)),
            passing=add(state.passing, bets(below, faster)),
        )
        moved = replace(
            moved,
            most_fail=max(moved.most_fail, moved.log_fail),
            most_pass=max(moved.most_pass, moved.log_pass),
        )
    return _learn(moved, stable, quantile)


def still_needed(
    state: Latency, *, quantile: float, alpha_fail: float, alpha_pass: float, weight: float
) -> int | None:
    """Further candidate requests until the nearer verdict, if both arms stay as they look; 0 with a
    verdict, None when it cannot be foreseen."""
    need_fail, need_pass = -math.log(alpha_fail), -math.log(alpha_pass)
    if state.most_fail >= need_fail or state.most_pass >= need_pass:
        return 0
    overlap = state.overlap
    if overlap.weight == 0 or not 0 < weight < 1:
        return None
    ps, pc = (
        (total + 1 - quantile) / (overlap.weight + 1)
        for total in (overlap.stable_sum, overlap.candidate_sum)
    )
    gain = need_fail - state.log_fail if pc > ps else need_pass - state.log_pass
    growth = equal_growth(min(ps, 0.999), min(pc, 0.999), weight)
    needed = gain * state.design_effect / growth if growth > 0 else math.inf
    return None if needed > 1e9 else max(math.ceil(needed), 1)


def _slow(stable: Counts, candidate: Counts, ours: int, theirs: int) -> Interval:
    """Requests above bucket `ours` (stable) and `theirs` (candidate)."""
    return Interval(
        loghist.total(stable),
        loghist.count_above(stable, ours),
        loghist.total(candidate),
        loghist.count_above(candidate, theirs),
    )


def _rate(multiple: float, quantile: float) -> float:
    usual = 1 - quantile
    return min(multiple * usual, 1 - 0.05 * quantile)


def _learn(state: Latency, stable: Counts, quantile: float) -> Latency:
    n = loghist.total(stable)
    if n == 0:
        return state
    found = max(loghist.quantile(stable, quantile), loghist.BASE / loghist.GROWTH)
    at = math.log(found / loghist.BASE) / _GROWTH
    seen = min(state.seen, MEMORY) + n
    return replace(
        state, position=state.position + (at - state.position) * n / seen, seen=min(seen, MEMORY)
    )
