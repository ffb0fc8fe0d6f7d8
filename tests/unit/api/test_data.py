"""What the CRD takes and refuses of `spec.data`, judged as an API server judges it."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.api.crds import all_crds
from pawl.local.schema.structural import Structural


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "TrainingJob")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def complaints(schema: Structural, **data: Any) -> str:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": {
            "model": "churn",
            "data": {"uri": "s3://lake/churn/", "task": "binary", "target": "churned", **data},
            "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
        },
    }
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


@pytest.mark.parametrize(
    "check",
    [
        pytest.param({"minRows": 1}, id="minRows"),
        pytest.param({"unique": ["id", "month"]}, id="unique"),
        pytest.param({"column": "plan", "pattern": "[a-z]+", "maxMissing": 0}, id="a column"),
        pytest.param({"column": "at", "notBefore": "2026-01-01T00:00:00Z"}, id="a date"),
        pytest.param({"column": "at", "maxAge": "2d"}, id="an age"),
    ],
)
def test_a_check_is_of_rows_or_of_a_column(schema: Structural, check: dict[str, Any]) -> None:
    assert not complaints(schema, checks=[check])


@pytest.mark.parametrize(
    ("check", "said"),
    [
        pytest.param({}, "a check has one of", id="nothing"),
        pytest.param({"unique": []}, "a check has one of", id="no columns"),
        pytest.param({"minRows": 1, "column": "x"}, "a check has one of", id="two"),
        pytest.param({"minRows": 1, "pattern": "x"}, "do without a column", id="no column"),
        pytest.param({"column": "x", "pattern": "("}, "pattern", id="no pattern"),
        pytest.param({"column": "x", "notAfter": "today"}, "notAfter", id="no date"),
    ],
)
def test_what_is_no_check_is_refused(schema: Structural, check: dict[str, Any], said: str) -> None:
    assert said in complaints(schema, checks=[check])
