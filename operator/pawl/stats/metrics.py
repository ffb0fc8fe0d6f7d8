"""Definitions of the metrics in `pawl.api.metrics`, on plain arrays.

Definitions are scikit-learn's (its functions of the same names are the oracle in the tests);
written out here because importing scikit-learn costs seconds in every pod, and because a bootstrap
calls them a thousand times. Shapes: n rows, C classes; truth is the class index 0…C-1 (for binary,
1 is the positive class) or the number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truth = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said about n rows: class indices and probabilities [n, C], or numbers [n]."""

    labels: Ints | None = None
    scores: Floats | None = None
    values: Floats | None = None

    def __len__(self) -> int:
        for field in (self.values, self.labels, self.scores):
            if field is not None:
                return len(field)
        return 0

    def take(self, rows: NDArray[Any]) -> Answers:
        """The answers at `rows` (indices or a mask)."""
        return Answers(
            labels=None if self.labels is None else self.labels[rows],
            scores=None if self.scores is None else self.scores[rows],
            values=None if self.values is None else self.values[rows],
        )


class UndefinedMetricError(ValueError):
    """The metric does not exist for these rows, such as an AUC of one class only."""


def compute(name: str, truth: Truth, answers: Answers) -> float:
    """The metric `name`. UndefinedMetricError where it does not exist for these rows."""
    if len(truth) == 0:
        raise UndefinedMetricError(f"{name} of no rows")
    return float(_FUNCTIONS[name](truth, answers))


def roc_auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative) + ½ P(equal)."""
    positives = int(np.count_nonzero(positive))
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        raise UndefinedMetricError("roc_auc needs rows of both classes")
    wins = float(midranks(score)[positive].sum()) - positives * (positives + 1) / 2
    return wins / (positives * negatives)


def midranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle = last - (counts - 1) / 2
    return np.asarray(middle[inverse], dtype=np.float64)


def average_precision(positive: NDArray[np.bool_], score: Floats) -> float:
    """Σ (Rₙ − Rₙ₋₁) Pₙ over the distinct scores from the top."""
    total = int(np.count_nonzero(positive))
    if total == 0:
        raise UndefinedMetricError("average_precision needs rows of the positive class")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_tie = np.flatnonzero(np.diff(score[order], append=-np.inf))
    precision = hits[last_of_tie] / (last_of_tie + 1)
    recall = hits[last_of_tie] / total
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def confusion(truth: Truth, labels: Ints, classes: int) -> Floats:
    """[C, C] counts, truth by row and answer by column."""
    counts = np.bincount(truth.astype(np.int64) * classes + labels, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.float64)


def _labels(answers: Answers) -> Ints:
    if answers.labels is None:
        raise UndefinedMetricError("the model gives no labels")
    return answers.labels


def _scores(answers: Answers) -> Floats:
    if answers.scores is None:
        raise UndefinedMetricError("the model gives no probabilities")
    return answers.scores


def _errors(truth: Truth, answers: Answers) -> Floats:
    if answers.values is None:
        raise UndefinedMetricError("the model gives no numbers")
    return np.asarray(truth - answers.values, dtype=np.float64)


def _accuracy(truth: Truth, answers: Answers) -> float:
    return float(np.mean(truth == _labels(answers)))


def _matrix(truth: Truth, answers: Answers) -> Floats:
    labels = _labels(answers)
    return confusion(truth, labels, int(max(truth.max(), labels.max(), 1)) + 1)


def _balanced_accuracy(truth: Truth, answers: Answers) -> float:
    matrix = _matrix(truth, answers)
    size = matrix.sum(axis=1)
    return float(np.mean(matrix.diagonal()[size > 0] / size[size > 0]))


def _matthews(truth: Truth, answers: Answers) -> float:
    matrix = _matrix(truth, answers)
    right, rows = matrix.trace(), matrix.sum()
    true, said = matrix.sum(axis=1), matrix.sum(axis=0)
    spread = (rows**2 - said @ said) * (rows**2 - true @ true)
    return float((right * rows - true @ said) / np.sqrt(spread)) if spread > 0 else 0.0


def _ratio(above: Floats, below: Floats) -> Floats:
    """above / below, 0 where nothing is below (scikit-learn's zero_division=0)."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


@dataclass(frozen=True, slots=True)
class _PerClass:
    precision: Floats
    recall: Floats
    f1: Floats
    size: Floats
    occurs: NDArray[np.bool_]


def _per_class(truth: Truth, answers: Answers) -> _PerClass:
    matrix = _matrix(truth, answers)
    right, said, true = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)
    return _PerClass(
        precision=_ratio(right.copy(), said),
        recall=_ratio(right.copy(), true),
        f1=_ratio(2 * right, said + true),
        size=true,
        occurs=(said + true) > 0,
    )


def _macro(of: str) -> Callable[[Truth, Answers], float]:
    def metric(truth: Truth, answers: Answers) -> float:
        each = _per_class(truth, answers)
        return float(np.mean(getattr(each, of)[each.occurs]))

    return metric


def _positive(of: str) -> Callable[[Truth, Answers], float]:
    def metric(truth: Truth, answers: Answers) -> float:
        return float(getattr(_per_class(truth, answers), of)[1])

    return metric


def _f1_weighted(truth: Truth, answers: Answers) -> float:
    each = _per_class(truth, answers)
    return float(each.f1 @ each.size / each.size.sum())


def _roc_auc_ovr(truth: Truth, answers: Answers) -> float:
    scores = _scores(answers)
    present = np.unique(truth)
    if len(present) < 2:
        raise UndefinedMetricError("roc_auc_ovr needs rows of two classes")
    return float(np.mean([roc_auc(truth == c, scores[:, int(c)]) for c in present]))


def _log_loss(truth: Truth, answers: Answers) -> float:
    tiny = np.finfo(np.float64).eps
    scores = np.clip(_scores(answers), tiny, 1 - tiny)
    mine = scores[np.arange(len(truth)), truth.astype(np.int64)]
    return float(-np.mean(np.log(mine / scores.sum(axis=1))))


def _brier(truth: Truth, answers: Answers) -> float:
    return float(np.mean((_scores(answers)[:, 1] - truth) ** 2))


def _mape(truth: Truth, answers: Answers) -> float:
    size = np.maximum(np.abs(truth), np.finfo(np.float64).eps)
    return float(np.mean(np.abs(_errors(truth, answers)) / size))


def _r2(truth: Truth, answers: Answers) -> float:
    total = float(np.sum((truth - truth.mean()) ** 2))
    if len(truth) < 2 or total == 0.0:
        raise UndefinedMetricError("r2 needs rows with different targets")
    return 1.0 - float(np.sum(_errors(truth, answers) ** 2)) / total


_FUNCTIONS: dict[str, Callable[[Truth, Answers], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _positive("precision"),
    "recall": _positive("recall"),
    "f1": _positive("f1"),
    "matthews_corrcoef": _matthews,
    "precision_macro": _macro("precision"),
    "recall_macro": _macro("recall"),
    "f1_macro": _macro("f1"),
    "f1_weighted": _f1_weighted,
    "roc_auc": lambda truth, answers: roc_auc(truth == 1, _scores(answers)[:, 1]),
    "average_precision": lambda t, answers: average_precision(t == 1, _scores(answers)[:, 1]),
    "roc_auc_ovr": _roc_auc_ovr,
    "log_loss": _log_loss,
    "brier_score": _brier,
    "rmse": lambda truth, answers: float(np.sqrt(np.mean(_errors(truth, answers) ** 2))),
    "mae": lambda truth, answers: float(np.mean(np.abs(_errors(truth, answers)))),
    "median_absolute_error": lambda t, answers: float(np.median(np.abs(_errors(t, answers)))),
    "max_error": lambda truth, answers: float(np.max(np.abs(_errors(truth, answers)))),
    "mape": _mape,
    "r2": _r2,
}
