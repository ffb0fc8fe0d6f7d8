"""The baseline of a version: features over the rows it was trained on, predictions over test rows.

Predictions on training rows are surer than on new ones; a baseline of them would make every new
row look like drift.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from pawl.artifacts.records import Baseline, CategoryBaseline, NumericBaseline, Task
from pawl.stats.binning import category_table, numeric_bins
from pawl.stats.metrics import Answers, Floats
from pawl.training.features import Matrix

PREDICTION = "prediction"


def build(train: Matrix, held_out: Answers, task: Task, classes: tuple[Any, ...]) -> Baseline:
    """Bins and tables of the features of `train` and of the answers `held_out`."""
    return Baseline(
        rows=len(train),
        numeric=tuple(
            _numeric(name, column)
            for name, column in zip(train.numeric_names, train.numeric.T, strict=True)
        ),
        categorical=tuple(
            _categorical(name, column)
            for name, column in zip(train.categorical_names, train.categorical.T, strict=True)
        ),
        prediction_rows=len(held_out),
        prediction=_prediction(held_out, task, classes),
    )


def _prediction(
    said: Answers, task: Task, classes: tuple[Any, ...]
) -> NumericBaseline | CategoryBaseline:
    if task == "regression" and said.values is not None:
        return _numeric(PREDICTION, said.values)
    if task == "binary" and said.scores is not None:
        return _numeric(PREDICTION, said.scores[:, 1])
    labels = np.empty(0, dtype=np.int64) if said.labels is None else said.labels
    counts = np.bincount(labels, minlength=len(classes))
    return CategoryBaseline(
        name=PREDICTION,
        categories=tuple(class_text(value) for value in classes),
        counts=tuple(int(count) for count in counts),
        other=0,
        missing=0,
    )


def class_text(value: Any) -> str:
    """A class as text: as JSON writes it, strings without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _numeric(name: str, values: Floats) -> NumericBaseline:
    bins = numeric_bins(values)
    return NumericBaseline(
        name=name,
        edges=tuple(bins.edges.tolist()),
        counts=tuple(bins.counts.tolist()),
        fine_edges=tuple(bins.fine_edges.tolist()),
        fine_counts=tuple(bins.fine_counts.tolist()),
        fine_sums=tuple(bins.fine_sums.tolist()),
        minimum=bins.minimum,
        maximum=bins.maximum,
        missing=bins.missing,
    )


def _categorical(name: str, values: Any) -> CategoryBaseline:
    counts = Counter(values.tolist())
    missing = counts.pop("", 0)
    table = category_table(counts.items(), missing=missing)
    return CategoryBaseline(
        name=name,
        categories=table.categories,
        counts=table.counts,
        other=table.other,
        missing=table.missing,
    )
