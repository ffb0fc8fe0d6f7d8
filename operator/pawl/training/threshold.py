"""The probability from which the server answers the positive class. Chosen on validation rows."""

from __future__ import annotations

import numpy as np

from pawl.api.evaluation import Threshold
from pawl.stats.metrics import Answers, Floats, Ints, compute
from pawl.training.engines import answers

DEFAULT = 0.5
_MOST_CANDIDATES = 999


def choose(wanted: Threshold | None, truth: Ints, scores: Floats) -> float:
    """The given value, or the one that maximises a metric: of the midpoints between the scores
    that occur (their quantiles when there are many), the best, and of equals the nearest to 0.5."""
    if wanted is None:
        return DEFAULT
    if wanted.value is not None:
        return wanted.value
    metric = wanted.maximize or "f1"
    best, best_value = DEFAULT, -np.inf
    for candidate in _candidates(scores[:, 1]):
        said: Answers = answers(scores, "binary", candidate)
        value = compute(metric, truth, said)
        nearer = abs(candidate - 0.5) < abs(best - 0.5)
        if value > best_value or (value == best_value and nearer):
            best, best_value = candidate, value
    return best


def _candidates(scores: Floats) -> list[float]:
    distinct = np.unique(scores)
    if len(distinct) > _MOST_CANDIDATES + 1:
        at = np.linspace(0, len(distinct) - 1, _MOST_CANDIDATES + 1).astype(int)
        distinct = distinct[at]
    middles = (distinct[1:] + distinct[:-1]) / 2
    inside = [float(m) for m in middles if 0.0 < m < 1.0]
    return inside or [DEFAULT]
