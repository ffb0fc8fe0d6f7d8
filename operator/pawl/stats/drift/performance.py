"""Is a model still as good as it must be? Metrics from feedback, as counts, against a limit.

The 95 % interval decides: *Fail* when all of it is worse than the limit, *Pass* when all of it is
better, else Inconclusive, as with fewer than HUNDRED rows. Rates have Wilson's interval (`rates`).
F1 = 2θ/(1 + θ) with θ = tp/(tp + fp + fn), a rate too. A mean of errors is normal by the central
limit theorem, with the variance that their sums of higher powers give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pawl.stats.drift.rates import wilson
from pawl.stats.intervals import Z95, Estimate
from pawl.stats.metrics import UndefinedMetricError
from pawl.stats.sequential.evidence import Verdict
from pawl.stats.valuehist import LOG

HUNDRED = 100
Score = Literal["accuracy", "precision", "recall", "f1"]
Loss = Literal["fpr", "mae", "rmse"]
SCORES: frozenset[str] = frozenset({"accuracy", "precision", "recall", "f1"})


@dataclass(frozen=True, slots=True)
class Confusion:
    """Answers by truth: true or false, positive or negative. Of a model of several classes only
    the accuracy exists: the right ones are `tp`, the wrong ones `fn`."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def rate(self, metric: str) -> tuple[int, int]:
        """k of n, for all but f1, where it is tp of tp + fp + fn."""
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        return {
            "accuracy": (tp + tn, tp + fp + fn + tn),
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "fpr": (fp, fp + tn),
            "f1": (tp, tp + fp + fn),
        }[metric]


@dataclass(frozen=True, slots=True)
class Errors:
    """n absolute errors: their sum, and the sums of their second and fourth powers."""

    n: int
    total: float
    squares: float
    fourths: float

    @classmethod
    def of(cls, n: int, total: float, squares: float, histogram: Mapping[int, int]) -> Errors:
        """The fourth powers, which only an interval of the rmse needs, from a `valuehist` of kind
        `log`, with the middle of each bin."""
        fourths = math.fsum(count * _middle(bin_) ** 4 for bin_, count in histogram.items())
        return cls(n, total, squares, fourths)


@dataclass(frozen=True, slots=True)
class Judged:
    """The estimate (None where the metric does not exist), the limit, and the verdict."""

    metric: Score | Loss
    estimate: Estimate | None
    limit: float
    verdict: Verdict


def estimate(metric: Score | Loss, seen: Confusion | Errors, *, effect: float = 1.0) -> Estimate:
    """The metric with its 95 % interval; `effect` is the design effect of the rows.
    UndefinedMetricError when no row says anything about it."""
    if isinstance(seen, Errors):
        return _of_errors(metric, seen, effect)
    k, n = seen.rate(metric)
    if n == 0:
        raise UndefinedMetricError(f"{metric} of no rows")
    bounds = wilson(np.array([k / n]), np.array([n / max(effect, 1.0)]))
    found = np.array([k / n, bounds[0][0], bounds[1][0]])
    if metric == "f1":
        found = 2 * found / (1 + found)
    value, lower, upper = found.tolist()
    return Estimate(value, lower, upper, n)


def limit_from(metric: Score | Loss, baseline: float, by: float) -> float:
    """The limit of "not worse than the baseline by more than `by`"."""
    return baseline - by if metric in SCORES else baseline + by


def judge(
    metric: Score | Loss, seen: Confusion | Errors, limit: float, *, effect: float = 1.0
) -> Judged:
    """Against the least value of a score, or the largest of an error."""
    try:
        found = estimate(metric, seen, effect=effect)
    except UndefinedMetricError:
        return Judged(metric, None, limit, "Inconclusive")
    if found.n / max(effect, 1.0) < HUNDRED:
        return Judged(metric, found, limit, "Inconclusive")
    below, above = found.upper < limit, found.lower > limit
    bad, good = (below, above) if metric in SCORES else (above, below)
    return Judged(metric, found, limit, "Fail" if bad else "Pass" if good else "Inconclusive")


def _of_errors(metric: str, seen: Errors, effect: float) -> Estimate:
    if seen.n == 0:
        raise UndefinedMetricError(f"{metric} of no rows")
    total, squares = seen.total, seen.squares
    if metric == "rmse":
        total, squares = squares, seen.fourths
    mean = total / seen.n
    variance = max(squares / seen.n - mean**2, 0.0)
    half = Z95 * math.sqrt(variance * max(effect, 1.0) / seen.n)
    value, lower, upper = mean, max(mean - half, 0.0), mean + half
    if metric == "rmse":
        value, lower, upper = math.sqrt(value), math.sqrt(lower), math.sqrt(upper)
    return Estimate(value, lower, upper, seen.n)


def _middle(bin_: int) -> float:
    low, high = (LOG[min(max(at, 0), len(LOG) - 1)] for at in (bin_ - 1, bin_))
    return math.sqrt(low * high) if low > 0 else 0.0
