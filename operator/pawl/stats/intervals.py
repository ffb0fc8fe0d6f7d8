"""95 % intervals for a metric, and for the difference of two models on the same rows.

AUC: DeLong, DeLong & Clarke-Pearson (1988), computed with midranks as Sun & Xu (2014), on the logit
scale for a single AUC so that it stays inside (0, 1). Everything else: percentile bootstrap over
rows, both models resampled together; seeded, so the same call gives the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pawl.stats.metrics import (
    Answers,
    Floats,
    Truth,
    UndefinedMetricError,
    compute,
    midranks,
)

Z95 = 1.959963984540054
_MOST_RESAMPLES = 2000
_FEWEST_RESAMPLES = 200
_WORK = 50_000_000  # rows × resamples; keeps an interval within seconds


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its two-sided 95 % interval, from n rows."""

    value: float
    lower: float
    upper: float
    n: int


def metric_interval(name: str, truth: Truth, answers: Answers, *, seed: int) -> Estimate:
    """The metric `name` of one model."""
    value = compute(name, truth, answers)
    n = len(truth)
    if name == "roc_auc" and answers.scores is not None:
        variance = float(delong_covariance(truth == 1, answers.scores[:, [1]])[0, 0])
        lower, upper = _logit_interval(value, variance)
        return Estimate(value, lower, upper, n)
    lower, upper = _percentiles(_resampled(name, truth, (answers,), seed)[0], value)
    return Estimate(value, lower, upper, n)


def paired_difference(name: str, truth: Truth, a: Answers, b: Answers, *, seed: int) -> Estimate:
    """metric(a) − metric(b) on the same rows."""
    value = compute(name, truth, a) - compute(name, truth, b)
    n = len(truth)
    if name == "roc_auc" and a.scores is not None and b.scores is not None:
        both = np.column_stack([a.scores[:, 1], b.scores[:, 1]])
        covariance = delong_covariance(truth == 1, both)
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        half = Z95 * float(np.sqrt(max(variance, 0.0)))
        return Estimate(value, value - half, value + half, n)
    of_a, of_b = _resampled(name, truth, (a, b), seed)
    lower, upper = _percentiles(of_a - of_b, value)
    return Estimate(value, lower, upper, n)


def delong_covariance(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Covariance [k, k] of the AUCs of k models; `scores` is [n, k].

    With V₁ᵢ the share of negatives below positive i and V₀ⱼ the share of positives above negative
    j: S = cov(V₁)/m + cov(V₀)/n for m positives and n negatives, two of each at least.
    """
    m, n = int(np.count_nonzero(positive)), int(np.count_nonzero(~positive))
    if m < 2 or n < 2:
        raise UndefinedMetricError("the interval of roc_auc needs two rows of each class")
    v1 = np.empty((scores.shape[1], m))
    v0 = np.empty((scores.shape[1], n))
    for k in range(scores.shape[1]):
        score = scores[:, k]
        ranks = midranks(score)
        v1[k] = (ranks[positive] - midranks(score[positive])) / n
        v0[k] = 1.0 - (ranks[~positive] - midranks(score[~positive])) / m
    covariance = np.atleast_2d(np.cov(v1)) / m + np.atleast_2d(np.cov(v0)) / n
    return np.asarray(covariance, dtype=np.float64)


def resamples(n: int) -> int:
    """How many bootstrap samples n rows get."""
    return int(np.clip(_WORK // max(n, 1), _FEWEST_RESAMPLES, _MOST_RESAMPLES))


def _resampled(
    name: str, truth: Truth, models: tuple[Answers, ...], seed: int
) -> tuple[Floats, ...]:
    """The metric of every model on the same bootstrap samples.

    Samples on which the metric does not exist (one class only) are left out; UndefinedMetricError
    when that leaves fewer than half.
    """
    n = len(truth)
    generator = np.random.default_rng(seed)
    wanted = resamples(n)
    found: list[tuple[float, ...]] = []
    for _ in range(wanted):
        rows = generator.integers(0, n, n)
        try:
            found.append(tuple(compute(name, truth[rows], model.take(rows)) for model in models))
        except UndefinedMetricError:
            continue
    if len(found) < wanted // 2:
        raise UndefinedMetricError(f"{name} has no interval on these rows")
    return tuple(np.array(column) for column in zip(*found, strict=True))


def _percentiles(samples: Floats, value: float) -> tuple[float, float]:
    lower, upper = np.percentile(samples, [2.5, 97.5])
    return min(float(lower), value), max(float(upper), value)


def _logit_interval(value: float, variance: float) -> tuple[float, float]:
    if not 0.0 < value < 1.0 or variance <= 0.0:
        return value, value
    centre = np.log(value / (1 - value))
    half = Z95 * np.sqrt(variance) / (value * (1 - value))
    lower, upper = 1 / (1 + np.exp(-(centre + np.array([-half, half]))))
    return float(lower), float(upper)
