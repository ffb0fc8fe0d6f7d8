"""Warnings about data that look too good to be true, found on the rows the trainer is given.

* leak: one feature alone predicts the target (AUC > 0.99; for numbers r² > 0.99)
* identifier: a feature that is different in almost every row, or counts the rows

Of sensitive columns: `proxies`. Everything is a few passes of numpy over at most `MOST_ROWS` rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.stats.metrics import Floats, UndefinedMetricError, roc_auc
from pawl.training.features import Matrix

MOST_ROWS = 20_000
LEAK_AUC = 0.99
_ID_SHARE = 0.95
_ID_ROWS = 50
_MOST_CLASSES = 20
_LEAST_ROWS = 40


def leaks(features: Matrix, target: NDArray[Any], classes: int) -> list[str]:
    """A sentence per feature that alone predicts the target. `classes` is 0 for regression."""
    if len(target) < _LEAST_ROWS:
        return []
    found = []
    even = np.arange(len(target)) % 2 == 0
    for name, column in _columns(features):
        score = _best_score(column, target, classes, even)
        if score > LEAK_AUC:
            measure = "AUC" if classes else "r²"
            found.append(
                f'feature "{name}" alone predicts the target ({measure} {score:.3f}): is it known '
                "before the outcome?"
            )
    return found


def identifiers(features: Matrix) -> list[str]:
    """A sentence per feature that looks like an identifier."""
    n = len(features)
    if n < _ID_ROWS:
        return []
    found = []
    for name, column in _columns(features):
        if column.dtype == object:
            share = len(set(column.tolist())) / n
            if share > _ID_SHARE:
                found.append(
                    f'feature "{name}" is different in {share:.0%} of the rows, like an '
                    "identifier: name it in data.idColumns or data.ignore"
                )
        elif _counts_rows(column):
            found.append(
                f'feature "{name}" numbers the rows, like an identifier: name it in '
                "data.idColumns or data.ignore"
            )
    return found


def _columns(features: Matrix) -> list[tuple[str, NDArray[Any]]]:
    numeric = zip(features.numeric_names, features.numeric.T, strict=True)
    texts = zip(features.categorical_names, features.categorical.T, strict=True)
    return [*numeric, *texts]


def _best_score(
    column: NDArray[Any], target: NDArray[Any], classes: int, even: NDArray[np.bool_]
) -> float:
    """The largest AUC of class against rest (r² for numbers). Texts are replaced by the mean
    target of their category, learnt on the even rows and judged on the odd ones."""
    if not classes:
        if column.dtype == object:
            return _r2(_target_means(column, target.astype(float), even), target, ~even)
        return _r2(np.nan_to_num(column), target, np.ones(len(target), dtype=bool))
    wanted = [1] if classes == 2 else range(min(classes, _MOST_CLASSES))
    best = 0.0
    for c in wanted:
        is_class = target == c
        if column.dtype == object:
            score = _target_means(column, is_class.astype(float), even)
            best = max(best, _auc(is_class[~even], score[~even]))
        else:
            auc = _auc(is_class, np.where(np.isnan(column), -np.inf, column))
            best = max(best, auc, 1 - auc, _auc(is_class, np.isnan(column).astype(float)))
    return best


def _target_means(column: NDArray[Any], target: Floats, even: NDArray[np.bool_]) -> Floats:
    _, index = np.unique(column.astype(str), return_inverse=True)
    size = np.bincount(index[even], minlength=index.max() + 1)
    total = np.bincount(index[even], target[even], minlength=index.max() + 1)
    prior = float(target[even].mean())
    means = np.where(size > 0, total / np.maximum(size, 1), prior)
    return np.asarray(means[index], dtype=np.float64)


def _r2(column: Floats, target: NDArray[Any], rows: NDArray[np.bool_]) -> float:
    x, y = column[rows], target[rows].astype(float)
    if x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _auc(positive: NDArray[np.bool_], score: Floats) -> float:
    try:
        return roc_auc(positive, score)
    except UndefinedMetricError:
        return 0.5


def _counts_rows(column: Floats) -> bool:
    """Whole, all different, and either in order or without big gaps."""
    if np.isnan(column).any() or not np.array_equal(column, np.floor(column)):
        return False
    steps = np.diff(np.sort(column))
    if (steps == 0).any():
        return False
    in_order = bool((np.diff(column) > 0).all() or (np.diff(column) < 0).all())
    return in_order or bool(np.ptp(column) < 3 * len(column))
