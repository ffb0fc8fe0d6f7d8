"""What is wrong with a spec is told by API servers, where it is applied."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from realapi import Api

DATA = {"uri": "s3://lake/churn/", "task": "binary", "target": "churned"}


def applied(api: Api, schedule: str, expression: str) -> Any:
    spec = {
        "model": "churn",
        "data": {**DATA, "derived": [{"name": "f", "expression": expression}]},
        "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
        "schedule": schedule,
    }
    job = {"apiVersion": "pawl.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "churn"}}
    words = ("create", "--dry-run=server", "-f", "-")
    return api.kubectl(*words, text=json.dumps({**job, "spec": spec}))


@pytest.mark.parametrize(
    ("schedule", "expression"),
    [
        pytest.param("*/5 1-3,7 * JAN,mar MON#1", "log(a + 1) / (b if b > 0 else 1)", id="much"),
        pytest.param("0 3 LW * 5L", "col('size (mm)') + fitted.mean(b)", id="the rest"),
    ],
)
def test_what_is_right_is_taken(api: Api, schedule: str, expression: str) -> None:
    done = applied(api, schedule, expression)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("schedule", "expression", "told"),
    [
        pytest.param(
            "61 3 * * 1", "a", "spec.schedule: Invalid value: .*the minute takes 0 to 59", id="cron"
        ),
        pytest.param(
            "0 3 * * 1",
            "sine(a)",
            r"spec.data.derived\[0\].expression: Invalid value: .*a function is none of abs",
            id="a function",
        ),
        pytest.param("0 3 * * 1", "(a", "as many brackets", id="brackets"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(
    api: Api, schedule: str, expression: str, told: str
) -> None:
    done = applied(api, schedule, expression)
    assert done.returncode != 0
    assert re.search(told, done.stderr), done.stderr
