"""How far annotators agree on labels, and what most of them say.

Labels are an array [rows, annotators] of codes from 0 on; a negative one is missing. Rows with
fewer than two labels tell nothing of agreement and are left out.

κ = (a − e) / (1 − e): a is the mean over rows of the share of pairs of their labels that are equal,
e the share that chance alone would make equal. With s(k) the mean over rows of the share of label k
in a row:

    two annotators    Cohen (1960): e = Σ p₁(k) p₂(k), as each has habits of their own
    more              Fleiss (1971), for rows with different numbers of labels in the form of
                      Gwet, Handbook of Inter-Rater Reliability (2014): e = Σ s(k)²

The variance is the delta method's: (n − 1)⁻¹ Σ (uᵢ − κ)² / n over n rows, with
uᵢ = (aᵢ − 2 (1 − κ) eᵢ) / (1 − e) + const, where eᵢ is what row i adds to e. That is, up to
n/(n − 1), the variance of Fleiss, Cohen & Everitt (1969) for two annotators, and of Gwet (2021,
Educational and Psychological Measurement 81:4) for more. The interval is symmetric on the scale of
Fisher's z = artanh κ: κ ± 1.96 errors would put the lower bound above the truth in up to a tenth of
all samples of 100 rows where κ is near 1. Where all labels agree, its lower bound supposes that as
many rows do not agree at all as Clopper & Pearson (1934) allow for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pawl.stats.intervals import Z95, Estimate
from pawl.stats.metrics import Floats, UndefinedMetricError

Labels = NDArray[np.int64]
_CERTAIN = 1 - 1e-12


def kappa(labels: Labels) -> Estimate:
    """Cohen's κ of two annotators, Fleiss' of more, with its 95 % interval. UndefinedMetricError
    with fewer than two rows that count, or where there is one label only."""
    labels = labels[counts(labels) >= 2]
    n = len(labels)
    if n < 2:
        raise UndefinedMetricError("kappa needs two rows with two labels each")
    agreed = agreement(labels)
    by_chance = _cohen(labels) if labels.shape[1] == 2 else _fleiss(labels)
    chance = float(by_chance.mean())
    if chance > _CERTAIN:
        raise UndefinedMetricError("kappa needs two different labels")
    value = (float(agreed.mean()) - chance) / (1 - chance)
    influence = (agreed - 2 * (1 - value) * by_chance) / (1 - chance)
    error = float(np.sqrt(influence.var(ddof=1) / n))
    return Estimate(value, *_interval(value, error, chance, n), n)


def counts(labels: Labels) -> NDArray[np.int64]:
    """[rows]: how many labels a row has."""
    return np.asarray(np.count_nonzero(labels >= 0, axis=1), dtype=np.int64)


def agreement(labels: Labels) -> Floats:
    """[rows]: the share of pairs of labels that are equal; NaN with fewer than two labels."""
    given = counts(labels)
    pairs = (given * (given - 1)).astype(np.float64)
    equal = (_votes(labels) - 1).sum(axis=1, where=labels >= 0, dtype=np.float64)
    shares = np.full(len(labels), np.nan)
    np.divide(equal, pairs, out=shares, where=pairs > 0)
    return shares


def majority(labels: Labels) -> tuple[Labels, NDArray[np.bool_]]:
    """[rows]: the label that is given most often, negative where there is none; and whether another
    one is given as often."""
    votes = _votes(labels)
    most = votes.max(axis=1)
    first = np.take_along_axis(labels, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    tied = (most > 0) & (np.count_nonzero(votes == most[:, None], axis=1) > most)
    return first, tied


def _interval(value: float, error: float, chance: float, n: int) -> tuple[float, float]:
    if value > _CERTAIN:
        return max((0.025 ** (1 / n) - chance) / (1 - chance), -1.0), value
    inside = max(value, -_CERTAIN)
    half = Z95 * error / (1 - inside**2)
    lower, upper = np.tanh(np.arctanh(inside) + np.array([-half, half]))
    return min(float(lower), value), float(upper)


def _votes(labels: Labels) -> NDArray[np.int64]:
    """[rows, annotators]: how many of the row's labels are that of this annotator; 0 if missing."""
    votes = np.zeros(labels.shape, dtype=np.int64)
    for column in labels.T:
        votes += labels == column[:, None]
    votes[labels < 0] = 0
    return votes


def _cohen(labels: Labels) -> Floats:
    one, other = labels.T
    size = int(labels.max()) + 1
    of_one, of_other = (
        np.bincount(column, minlength=size) / len(labels) for column in (one, other)
    )
    return np.asarray((of_other[one] + of_one[other]) / 2, dtype=np.float64)


def _fleiss(labels: Labels) -> Floats:
    given = labels >= 0
    weights = given / given.sum(axis=1, keepdims=True)
    shares = np.bincount(labels[given], weights[given]) / len(labels)
    return np.asarray((shares[labels] * weights).sum(axis=1), dtype=np.float64)
