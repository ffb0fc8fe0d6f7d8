"""Do rates differ between groups by more than is allowed? From counts per group.

    demographic parity   difference of the groups' shares of positive answers
    equal opportunity    difference of their recalls (true positive rates)
    equalised odds       the larger of the differences of true and of false positive rates

Each is the largest difference between any two groups, as in Fairlearn. Every pair has Newcombe's
95 % interval (`rates`). *Fail*: some pair's lower bound lies above the maximum, with Holm's (1979)
correction for the number of pairs, so that a model that keeps to the maximum fails in at most 5 %
of windows however many groups there are. *Pass*: every pair's upper bound lies below (all must
hold, so each may have the whole error: Berger 1982). Else Inconclusive. Groups with fewer than
HUNDRED rows of what is compared are named and not judged: with 50 rows each, two groups with the
same rate differ by more than 0.1 in three windows of ten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pawl.stats.drift.performance import HUNDRED, Confusion
from pawl.stats.drift.rates import newcombe
from pawl.stats.holm import holm
from pawl.stats.intervals import Estimate
from pawl.stats.metrics import Floats
from pawl.stats.sequential.evidence import Verdict

_FURTHEST = 40.0  # standard errors; p is 0 to the last digit


@dataclass(frozen=True, slots=True)
class Rate:
    """k of n rows of a group. Rates of the same `kind` are compared."""

    group: str
    k: int
    n: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """How much higher one group's rate is than another's, and p of "at most the maximum"."""

    high: str
    low: str
    kind: str
    difference: Estimate
    p: float


@dataclass(frozen=True, slots=True)
class Fairness:
    """`gaps` by size, the largest first; `failed` are those that are proved too large; `few` are
    the groups that have too few rows to be judged."""

    maximum: float
    verdict: Verdict
    gaps: tuple[Gap, ...]
    failed: tuple[Gap, ...]
    few: tuple[str, ...]


def demographic_parity(
    groups: Mapping[str, tuple[int, int]], maximum: float, *, effect: float = 1.0
) -> Fairness:
    """From (rows, positive answers) per group."""
    rates = [Rate(name, positive, n) for name, (n, positive) in groups.items()]
    return judge(rates, maximum, effect=effect)


def equal_opportunity(
    groups: Mapping[str, Confusion], maximum: float, *, effect: float = 1.0
) -> Fairness:
    """From the confusion of each group."""
    rates = [Rate(name, *seen.rate("recall"), "recall") for name, seen in groups.items()]
    return judge(rates, maximum, effect=effect)


def equalised_odds(
    groups: Mapping[str, Confusion], maximum: float, *, effect: float = 1.0
) -> Fairness:
    """From the confusion of each group."""
    rates = [
        Rate(name, *seen.rate(kind), kind)
        for kind in ("recall", "fpr")
        for name, seen in groups.items()
    ]
    return judge(rates, maximum, effect=effect)


def judge(rates: Sequence[Rate], maximum: float, *, effect: float = 1.0) -> Fairness:
    """The verdict on all pairs of one kind; `effect` is the design effect of the rows."""
    effect = max(effect, 1.0)
    enough = [rate for rate in rates if rate.n / effect >= HUNDRED]
    few = tuple(dict.fromkeys(rate.group for rate in rates if rate.n / effect < HUNDRED))
    gaps = _gaps(enough, maximum, effect)
    failed = tuple(gaps[at] for at in holm([gap.p for gap in gaps]))
    verdict: Verdict = "Inconclusive"
    if failed:
        verdict = "Fail"
    elif gaps and all(gap.difference.upper < maximum for gap in gaps):
        verdict = "Pass"
    return Fairness(maximum, verdict, gaps, failed, few)


def _gaps(rates: Sequence[Rate], maximum: float, effect: float) -> tuple[Gap, ...]:
    pairs = [
        (a, b) if a.k * b.n >= b.k * a.n else (b, a)
        for a, b in combinations(rates, 2)
        if a.kind == b.kind
    ]
    if not pairs:
        return ()
    k, n = (np.array([[getattr(r, of) for r in pair] for pair in pairs]).T for of in "kn")
    (p, q), (n, m) = k / n, n / effect
    low, high = newcombe(p, n, q, m)
    proved = _p_values(p, n, q, m, maximum)
    columns = [column.tolist() for column in (p - q, low, high, proved)]
    gaps = [
        Gap(a.group, b.group, a.kind, Estimate(value, lower, upper, a.n + b.n), found)
        for (a, b), value, lower, upper, found in zip(pairs, *columns, strict=True)
    ]
    return tuple(sorted(gaps, key=lambda gap: -gap.difference.value))


def _p_values(p: Floats, n: Floats, q: Floats, m: Floats, maximum: float) -> Floats:
    """Where the interval of that level would begin at the maximum; 1 when the difference is not
    above it."""
    near, far = np.zeros_like(p), np.full_like(p, _FURTHEST)
    for _ in range(50):
        z = (near + far) / 2
        above = newcombe(p, n, q, m, z)[0] > maximum
        near, far = np.where(above, z, near), np.where(above, far, z)
    return np.array([math.erfc(z / math.sqrt(2)) for z in near])
