"""A limit for every slice of the rows: which slices hold it, and which are proved not to?

*Fail*: some slice is proved to be beyond the limit, by Holm's correction for the number of slices
(`holm`): slices are small and many, and the worst of twenty often looks bad by chance. *Pass*:
every slice holds. Else *Inconclusive*, also where no slice has rows enough. Those that have not are
named and not judged.

Rates (accuracy, and of a binary task recall and precision) have Wilson's interval and the score
test that belongs to it, on the rows they are about: the positive ones for recall, the positive
answers for precision. Any other metric has the interval of `intervals`; p is that of a normal
distribution whose 95 % bound towards the limit is the interval's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pawl.stats.drift.rates import wilson
from pawl.stats.holm import holm
from pawl.stats.intervals import Z95, Estimate, metric_interval, paired_difference
from pawl.stats.metrics import Answers, Truth
from pawl.stats.sequential.evidence import Verdict


@dataclass(frozen=True, slots=True)
class Slice:
    """A judged slice: its estimate, whether it `holds` the limit, how far it is on the good side of
    it (`slack`), and p of "it is not beyond". `n` are the rows that the estimate is about."""

    name: str
    estimate: Estimate
    holds: bool
    slack: float
    p: float
    verdict: Verdict = "Inconclusive"


def about(metric: str, truth: Truth, *models: Answers) -> int:
    """How many rows the metric says something about; of several models, for the one with least."""
    if metric == "recall":
        return int(np.count_nonzero(truth == 1))
    if metric == "precision":
        return min(int(np.count_nonzero(said.labels == 1)) for said in models)
    return len(truth)


def bounded(
    name: str, metric: str, truth: Truth, said: Answers, limit: float, *, least: bool, seed: int
) -> Slice:
    """One slice against a limit; `least` is the kind of limit. It holds by its value.
    UndefinedMetricError where there is no value."""
    rate = _rate(metric, truth, said)
    if rate is not None:
        k, n = rate
        low, high = wilson(np.array([k / n]), np.array([float(n)]))
        estimate = Estimate(k / n, float(low[0]), float(high[0]), n)
        deviation = math.sqrt(max(limit * (1 - limit), 0.0) / n)
    else:
        estimate = metric_interval(metric, truth, said, seed=seed)
        bound = estimate.upper if least else estimate.lower
        deviation = abs(bound - estimate.value) / Z95
    slack = estimate.value - limit if least else limit - estimate.value
    sure = rate is not None  # a rate of 1 is disproved by one row
    return Slice(name, estimate, slack >= 0, slack, _p(-slack, deviation, sure=sure))


def compared(
    name: str, metric: str, truth: Truth, a: Answers, b: Answers, margin: float, *,
    better: bool, seed: int,
) -> Slice:  # fmt: skip
    """How much better a is than b in one slice (`better`: by a higher value). It holds when the
    interval lies above −margin. UndefinedMetricError where there is no value."""
    d = paired_difference(metric, truth, a, b, seed=seed)
    advantage = d if better else Estimate(-d.value, -d.upper, -d.lower, d.n)
    deviation = (advantage.upper - advantage.value) / Z95
    slack = advantage.value + margin
    return Slice(name, advantage, advantage.lower > -margin, slack, _p(-slack, deviation))


def judge(slices: Sequence[Slice]) -> tuple[Verdict, tuple[Slice, ...]]:
    """The verdict on all of them, and theirs, the worst first."""
    failed = set(holm([part.p for part in slices]))
    told = [
        replace(part, verdict="Fail" if at in failed else "Pass" if part.holds else "Inconclusive")
        for at, part in enumerate(slices)
    ]
    told.sort(key=lambda part: (part.verdict != "Fail", part.holds, part.slack))
    if failed:
        return "Fail", tuple(told)
    return ("Pass" if told and all(p.holds for p in told) else "Inconclusive"), tuple(told)


def _rate(metric: str, truth: Truth, said: Answers) -> tuple[int, int] | None:
    """k of n, where the metric is a share of rows and there are some."""
    if said.labels is None or metric not in ("accuracy", "recall", "precision"):
        return None
    right = said.labels == truth
    if metric == "recall":
        right = right[truth == 1]
    elif metric == "precision":
        right = right[said.labels == 1]
    return (int(np.count_nonzero(right)), len(right)) if len(right) else None


def _p(gap: float, deviation: float, *, sure: bool = False) -> float:
    """Two-sided, of a value `gap` beyond the limit. Without any spread nothing is proved (rows that
    are all alike say nothing of others), unless it is `sure`."""
    if gap <= 0:
        return 1.0
    if deviation <= 0:
        return 0.0 if sure else 1.0
    return math.erfc(gap / deviation / math.sqrt(2))
