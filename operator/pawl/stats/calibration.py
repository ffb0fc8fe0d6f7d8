"""Do probabilities mean what they say? The expected calibration error with its interval.

The answer of a row is the probability p of the positive class and whether the row is positive
(binary), or the probability of the likeliest class and whether it is right (several classes). Rows
are sorted by p and cut into B = 10 bins with the same number of rows (Nguyen & O'Connor 2015):

    ECE = Σ_b n_b / n · |mean of p in b − share of hits in b|

Sampling noise makes it too large: a perfect model with 1,000 rows shows about 0.03. A bootstrap
sample adds as much again; the *basic* bootstrap interval
[2·ECE − q₉₇.₅, 2·ECE − q₂.₅] takes most of that off, and so does its middle as an estimate (Davison
& Hinkley 1997, 5.2). An error of exactly 0 is at the edge of what there can be: there the lower
bound stays a little above it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pawl.stats.intervals import Estimate, resamples
from pawl.stats.metrics import Answers, Floats, Truth, UndefinedMetricError

BINS = 10
_LEAST_ROWS = 20 * BINS


def calibration(truth: Truth, answers: Answers, *, seed: int) -> tuple[float, Estimate]:
    """The error as it is defined, and the estimate without the noise of n rows.
    UndefinedMetricError with fewer than 200 rows, or without probabilities."""
    p, hit = _said(truth, answers)
    n = len(p)
    if n < _LEAST_ROWS:
        raise UndefinedMetricError(f"{n} rows, {_LEAST_ROWS} are needed")
    order = np.argsort(p, kind="stable")
    p, hit = p[order], hit[order]
    value = expected_error(p, hit)
    generator = np.random.default_rng(seed)
    again = np.empty(resamples(n))
    for i in range(len(again)):
        rows = np.sort(generator.integers(0, n, n))
        again[i] = expected_error(p[rows], hit[rows])
    low, middle, high = np.percentile(again, [2.5, 50, 97.5])
    lower, estimate, upper = (max(0.0, float(2 * value - q)) for q in (high, middle, low))
    return value, Estimate(estimate, lower, upper, n)


def expected_error(p: Floats, hit: Floats) -> float:
    """Of rows sorted by p."""
    starts = np.arange(BINS) * len(p) // BINS
    return float(np.abs(np.add.reduceat(p - hit, starts)).sum() / len(p))


def brier(truth: Truth, answers: Answers) -> float:
    """Brier's (1950) score: the mean squared error of the probabilities; of two classes half of
    their sum, as `brier_score`."""
    scores = _probabilities(answers)
    wanted = np.eye(scores.shape[1])[truth.astype(np.int64)]
    total = float(np.square(scores - wanted).sum(axis=1).mean())
    return total / 2 if scores.shape[1] == 2 else total


def _said(truth: Truth, answers: Answers) -> tuple[Floats, Floats]:
    scores = _probabilities(answers)
    if scores.shape[1] == 2:
        return scores[:, 1], _floats(truth == 1)
    likeliest = np.argmax(scores, axis=1)
    return scores[np.arange(len(scores)), likeliest], _floats(likeliest == truth)


def _probabilities(answers: Answers) -> Floats:
    if answers.scores is None:
        raise UndefinedMetricError("the model gives no probabilities")
    return answers.scores


def _floats(mask: NDArray[np.bool_]) -> Floats:
    return mask.astype(np.float64)
