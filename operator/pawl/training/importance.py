"""Permutation importance of the features: by how much the first metric gets worse when one column
is shuffled (Breiman 2001; Fisher, Rudin & Dominici 2019).

Of the artifact that will be served, on validation rows: the test rows are scored once, for the
metrics. At most `ROWS` rows, `REPEATS` shuffles of each column, each with a seed of its own from
(seed, column, repeat), so that the same call gives the same numbers. Features that tell the same
share their importance, or hide each other's: a small one is no proof that a feature is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pawl.api.metrics import METRICS
from pawl.artifacts.records import Importance
from pawl.stats.metrics import Answers, Truth, UndefinedMetricError, compute
from pawl.training.features import Matrix

ROWS, REPEATS = 1000, 5
#: Columns; of a wider model nothing is told, since it would take longer than the fit.
_MOST = 256


def importances(
    metric: str, rows: Matrix, truth: Truth, answer: Callable[[Matrix], Answers], seed: int
) -> tuple[Importance, ...]:
    """Most important first. Empty where the metric is not defined on these rows."""
    names = (*rows.numeric_names, *rows.categorical_names)
    if len(names) > _MOST:
        return ()
    some = np.sort(np.random.default_rng(seed).permutation(len(rows))[:ROWS])
    rows, truth = rows.take(some), truth[some]
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    try:
        whole = compute(metric, truth, answer(rows))
        found = [
            _of(i, name, [
                sign * (whole - compute(metric, truth, answer(_shuffled(rows, i, (seed, i, j)))))
                for j in range(REPEATS)
            ])
            for i, name in enumerate(names)
        ]  # fmt: skip
    except UndefinedMetricError:
        return ()
    return tuple(one for _, one in sorted(found, key=lambda pair: (-pair[1].drop, pair[0])))


def _of(position: int, name: str, drops: list[float]) -> tuple[int, Importance]:
    found = Importance(
        feature=name, drop=float(np.mean(drops)), spread=float(np.std(drops, ddof=1))
    )
    return position, found


def _shuffled(rows: Matrix, column: int, seed: tuple[int, ...]) -> Matrix:
    order = np.random.default_rng(seed).permutation(len(rows))
    numbers = len(rows.numeric_names)
    if column < numbers:
        numeric = rows.numeric.copy()
        numeric[:, column] = numeric[order, column]
        return replace(rows, numeric=numeric)
    categorical = rows.categorical.copy()
    categorical[:, column - numbers] = categorical[order, column - numbers]
    return replace(rows, categorical=categorical)
