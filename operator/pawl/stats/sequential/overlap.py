"""What is shown of two arms: totals, and rates over the time when both had traffic.

Totals of steps with different weights must not be compared (when the base rate moves, the arm that
had more of the bad hour looks worse: Simpson's paradox). So every interval has weight nₛ·n_c/n
(Mantel & Haenszel 1959) in both arms' rates and in their difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from pawl.stats.sequential.odds import Interval

LEVEL = 0.05
_ETA = 500.0  # where the interval is narrowest: overlaps of a few thousand requests


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """Counts of both arms, and their sums weighted per interval."""

    stable_n: int = 0
    stable_k: int = 0
    candidate_n: int = 0
    candidate_k: int = 0
    weight: float = 0.0
    stable_sum: float = 0.0
    candidate_sum: float = 0.0

    SIZE: ClassVar[int] = 7

    def plus(self, interval: Interval) -> Overlap:
        """With one more interval."""
        sn, sk, cn, ck = interval
        share = interval.share
        return Overlap(
            self.stable_n + sn,
            self.stable_k + sk,
            self.candidate_n + cn,
            self.candidate_k + ck,
            self.weight + sn * share,
            self.stable_sum + sk * share,
            self.candidate_sum + ck * (1.0 - share),
        )

    @property
    def stable_rate(self) -> float:
        """Stable's rate as the candidate's time saw it; 0 without any."""
        return self.stable_sum / self.weight if self.weight else 0.0

    @property
    def candidate_rate(self) -> float:
        """The candidate's rate over the same time; 0 without any."""
        return self.candidate_sum / self.weight if self.weight else 0.0

    def difference(self, design_effect: float = 1.0) -> Estimate:
        """candidate − stable with a 95 % confidence sequence (normal mixture, asymptotic: for
        display; verdicts come from the e-values)."""
        if self.weight == 0:
            return Estimate(0.0, -1.0, 1.0)
        value = self.candidate_rate - self.stable_rate
        p = (self.stable_sum + self.candidate_sum + 1.0) / (2.0 * self.weight + 2.0)
        one = p * (1.0 - p) * design_effect
        variance, eta = self.weight * one, _ETA * one
        half = math.sqrt((variance + eta) * math.log((variance + eta) / (eta * LEVEL**2)))
        half = half / self.weight + 1.0 / (self.weight + 1.0)
        return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))

    def numbers(self) -> tuple[float, ...]:
        """For packing."""
        return (
            self.stable_n,
            self.stable_k,
            self.candidate_n,
            self.candidate_k,
            self.weight,
            self.stable_sum,
            self.candidate_sum,
        )

    @classmethod
    def of(cls, numbers: list[float]) -> Overlap:
        """From packed numbers. ValueError for counts that cannot be."""
        counts = [round(number) for number in numbers[:4]]
        if min(counts) < 0 or counts[1] > counts[0] or counts[3] > counts[2]:
            raise ValueError(f"counts that cannot be: {counts}")
        return cls(counts[0], counts[1], counts[2], counts[3], *numbers[4:7])


NOTHING = Overlap()
