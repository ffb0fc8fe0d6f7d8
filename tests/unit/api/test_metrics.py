"""The table of metrics says which fit a task."""

from __future__ import annotations

import pytest

from pawl.api.metrics import DEFAULT_METRICS, METRICS, metrics_for, unfit


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_usual_metrics_of_a_task_fit_it(task: str) -> None:
    assert unfit(DEFAULT_METRICS[task], task) is None  # type: ignore[index,arg-type]
    assert set(DEFAULT_METRICS[task]) <= set(metrics_for(task))  # type: ignore[index,arg-type]


def test_a_metric_that_does_not_fit_is_told_with_those_that_do() -> None:
    assert unfit(["rmse", "roc_auc"], "regression") == (
        'metric "roc_auc" fits binary, not regression; for regression there are: '
        "rmse, mae, median_absolute_error, max_error, mape, r2"
    )


def test_an_unknown_metric_is_told() -> None:
    sentence = unfit(["auc"], "multiclass")
    assert sentence is not None
    assert sentence.startswith('metric "auc" is not known; for task multiclass there are: accuracy')


def test_names_are_keys() -> None:
    assert all(name == metric.name for name, metric in METRICS.items())
