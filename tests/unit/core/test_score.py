"""The one score that is shown."""

from __future__ import annotations

import pytest

from pawl.core.score import score

BINARY = {"accuracy": 0.8, "log_loss": 0.4, "roc_auc": 0.91234}


@pytest.mark.parametrize(
    ("metrics", "wanted", "shown"),
    [
        pytest.param(BINARY, ["log_loss", "roc_auc"], "log_loss=0.4", id="the first wanted one"),
        pytest.param(BINARY, ["recall", "accuracy"], "accuracy=0.8", id="that was measured"),
        pytest.param(BINARY, [], "roc_auc=0.9123", id="else the usual one"),
        pytest.param(
            {"accuracy": 0.8, "balanced_accuracy": 0.7, "log_loss": 0.4},
            [],
            "balanced_accuracy=0.7",
            id="the usual one of several classes",
        ),
        pytest.param({"mae": 2.0, "r2": 0.5, "rmse": 3.0}, [], "rmse=3", id="of numbers"),
        pytest.param({"f2": 0.5}, [], "f2=0.5", id="else any"),
        pytest.param({}, ["roc_auc"], None, id="none"),
    ],
)
def test_the_first_of_what_is_wanted_then_usual_then_there(
    metrics: dict[str, float], wanted: list[str], shown: str | None
):
    assert score(metrics, wanted) == shown
