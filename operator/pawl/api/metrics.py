"""The metrics that Pawl can compute, and what each asks for.

Names are scikit-learn's where it has one. `METRICS` is what the API checks names against; the
definitions live in `pawl.stats.metrics`. All are unweighted: `weightColumn` weighs rows in fitting
only, so that a metric means the same for every version of a model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
#: Of groups; Fairlearn's names.
FairnessMetric = Literal[
    "demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"
]
#: What a metric is computed from, beside the true values.
Needs = Literal["labels", "scores", "values"]

_ALL_CLASSIFICATION: frozenset[Task] = frozenset({"binary", "multiclass"})
_BINARY: frozenset[Task] = frozenset({"binary"})
_MULTICLASS: frozenset[Task] = frozenset({"multiclass"})
_REGRESSION: frozenset[Task] = frozenset({"regression"})


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: the tasks it fits, its direction, and what of a model it looks at.

    `needs` is "labels" (the predicted class, so the threshold matters), "scores" (probabilities)
    or "values" (the predicted number). `lower` and `upper` bound its range where it has bounds.
    """

    name: str
    tasks: frozenset[Task]
    higher_is_better: bool
    needs: Needs
    description: str
    lower: float | None = 0.0
    upper: float | None = 1.0

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`."""
        return a > b if self.higher_is_better else a < b


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _ALL_CLASSIFICATION, True, "labels", "share of rows labelled right"),
        Metric("balanced_accuracy", _ALL_CLASSIFICATION, True, "labels", "mean recall of classes"),
        Metric("precision", _BINARY, True, "labels", "share of positive answers that are right"),
        Metric("recall", _BINARY, True, "labels", "share of positive rows that are found"),
        Metric("f1", _BINARY, True, "labels", "harmonic mean of precision and recall"),
        Metric("matthews_corrcoef", _ALL_CLASSIFICATION, True, "labels",
               "correlation of label and answer", lower=-1.0),
        Metric("precision_macro", _MULTICLASS, True, "labels", "mean precision of the classes"),
        Metric("recall_macro", _MULTICLASS, True, "labels", "mean recall of the classes"),
        Metric("f1_macro", _MULTICLASS, True, "labels", "mean F1 of the classes"),
        Metric("f1_weighted", _MULTICLASS, True, "labels", "F1 of the classes, by their size"),
        Metric("roc_auc", _BINARY, True, "scores", "area under the ROC curve"),
        Metric("average_precision", _BINARY, True, "scores", "area under precision and recall"),
        Metric("roc_auc_ovr", _MULTICLASS, True, "scores",
               "mean area under the ROC curves of each class against the rest"),
        Metric("log_loss", _ALL_CLASSIFICATION, False, "scores",
               "mean −log of the true class's probability", upper=None),
        Metric("brier_score", _BINARY, False, "scores", "mean squared error of the probability"),
        Metric("rmse", _REGRESSION, False, "values", "root of the mean squared error", upper=None),
        Metric("mae", _REGRESSION, False, "values", "mean absolute error", upper=None),
        Metric("median_absolute_error", _REGRESSION, False, "values", "median absolute error",
               upper=None),
        Metric("max_error", _REGRESSION, False, "values", "largest absolute error", upper=None),
        Metric("mape", _REGRESSION, False, "values", "mean absolute error relative to the truth",
               upper=None),
        Metric("r2", _REGRESSION, True, "values", "share of variance explained", lower=None),
    )
}  # fmt: skip

#: What is computed when a TrainingJob names no metric, and what a first version must beat a dummy
#: in (the first one) when no gate names a metric.
DEFAULT_METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("roc_auc", "log_loss", "accuracy"),
    "multiclass": ("balanced_accuracy", "log_loss", "accuracy"),
    "regression": ("rmse", "mae", "r2"),
}


def metrics_for(task: Task) -> tuple[str, ...]:
    """Names of the metrics that fit `task`, in the order of the table."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)


def unfit(names: Iterable[str], task: Task) -> str | None:
    """A sentence that names the first metric that does not exist or does not fit `task`."""
    for name in names:
        metric = METRICS.get(name)
        if metric is None:
            known = ", ".join(metrics_for(task))
            return f'metric "{name}" is not known; for task {task} there are: {known}'
        if task not in metric.tasks:
            fits = " and ".join(sorted(metric.tasks))
            known = ", ".join(metrics_for(task))
            return f'metric "{name}" fits {fits}, not {task}; for {task} there are: {known}'
    return None
