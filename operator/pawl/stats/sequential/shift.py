"""Is the mean of differences in [−1, 1] further from 0 than a limit (Fail) or nearer (Pass)?

For the shadow's calibration: candidate's score − stable's. Two tests of `mean`, of (1 + d)/2 and of
(1 − d)/2 against (1 + limit)/2. Fail when either proves its side too high, each with half of the
error; Pass when both prove theirs low enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pawl.stats.sequential import mean
from pawl.stats.sequential.evidence import judge
from pawl.stats.sequential.overlap import Estimate

__all__ = ["Shift", "judge", "load", "start", "still_needed", "update"]

_BETWEEN = " | "


@dataclass(frozen=True, slots=True)
class Shift:
    """Both tests: of the differences, and of their negatives."""

    up: mean.BoundedMean
    down: mean.BoundedMean

    @property
    def n(self) -> int:
        """Differences seen."""
        return self.up.n

    @property
    def log_fail(self) -> float:
        """log e-value against |mean| ≤ limit."""
        return max(self.up.log_fail, self.down.log_fail) - math.log(2)

    @property
    def log_pass(self) -> float:
        """log e-value against |mean| ≥ limit."""
        return min(self.up.log_pass, self.down.log_pass)

    @property
    def most_fail(self) -> float:
        return max(self.up.most_fail, self.down.most_fail) - math.log(2)

    @property
    def most_pass(self) -> float:
        return min(self.up.most_pass, self.down.most_pass)

    def estimate(self) -> Estimate:
        """The mean difference with its 95 % confidence sequence (for display)."""
        value, low, high = self.up.estimate()
        return Estimate(2 * value - 1, 2 * low - 1, 2 * high - 1)

    def dump(self) -> str:
        """One line, about 400 characters."""
        return self.up.dump() + _BETWEEN + self.down.dump()


def start() -> Shift:
    """The state of a gate that has seen nothing."""
    return Shift(mean.start(), mean.start())


def load(text: str) -> Shift:
    """A dumped state. ValueError when it is not one."""
    up, _, down = text.partition(_BETWEEN)
    return Shift(mean.load(up), mean.load(down))


def update(
    state: Shift,
    n: int,
    total: float,
    squares: float,
    *,
    limit: float,
    design_effect: float = 1.0,
) -> Shift:
    """The state after n more differences in [−1, 1] with that sum and sum of squares.

    `limit` in (0, 1) is that of all earlier calls, else start anew. ValueError for a limit outside,
    or sums that such numbers cannot have.
    """
    sides = []
    for sign, side in ((1.0, state.up), (-1.0, state.down)):
        # x = (1 ± d)/2, x² = (1 ± 2d + d²)/4
        moved, moved_squares = (n + sign * total) / 2, (n + 2 * sign * total + squares) / 4
        limits = (1 + limit) / 2
        sides.append(
            mean.update(side, n, moved, moved_squares, limit=limits, design_effect=design_effect)
        )
    return Shift(sides[0], sides[1])


def still_needed(state: Shift, *, limit: float, alpha_fail: float, alpha_pass: float) -> int | None:
    """Further differences until the nearer verdict; 0 with a verdict, None when it cannot be
    foreseen."""
    if judge(state, alpha_fail=alpha_fail, alpha_pass=alpha_pass) != "Inconclusive":
        return 0
    limits = (1 + limit) / 2
    found = [
        mean.still_needed(side, limit=limits, alpha_fail=alpha_fail / 2, alpha_pass=alpha_pass)
        for side in (state.up, state.down)
    ]
    known = [needed for needed in found if needed is not None]
    if not known or state.n == 0:
        return None
    if abs(state.estimate().value) > limit:
        return max(min(known), 1)
    return None if len(known) < len(found) else max(*known, 1)
