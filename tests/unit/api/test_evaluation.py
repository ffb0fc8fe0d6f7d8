"""What the CRD takes and refuses of gates, judged as an API server judges it."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.api.crds import all_crds
from pawl.api.evaluation import Gate
from pawl.api.trainingjob import TrainingJobSpec
from pawl.local.schema.structural import Structural

FAIR = {"fairness": "demographic_parity_difference", "attribute": "gender", "max": 0.1}


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "TrainingJob")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def complaints(schema: Structural, gate: dict[str, Any], task: str) -> str:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": {
            "model": "churn",
            "data": {
                "uri": "s3://lake/churn/",
                "task": task,
                "target": "churned",
                "sensitive": ["age"],
            },
            "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
            "evaluation": {"gates": [gate]},
        },
    }
    schema.default(item)
    found = "; ".join(str(cause) for cause in schema.validate(item))
    if not found:
        TrainingJobSpec.model_validate(item["spec"])
    return found


@pytest.mark.parametrize(
    ("gate", "name", "column"),
    [
        pytest.param({"metric": "recall", "min": 0.6}, "recall", None, id="min"),
        pytest.param(
            {"metric": "recall", "min": 0.6, "slice": {"column": "plan"}},
            "recall",
            "plan",
            id="every slice",
        ),
        pytest.param(
            {
                "metric": "roc_auc",
                "champion": {"notWorseBy": 0.01},
                "slice": {"column": "plan", "value": "pro", "minRows": 50},
            },
            "roc_auc",
            "plan",
            id="champion in a slice",
        ),
        pytest.param(FAIR, "demographic_parity_difference", "gender", id="fairness"),
        pytest.param({"calibration": {"max": 0.05}}, "calibration_error", None, id="calibration"),
        pytest.param({"proxy": {"column": "age", "max": 0.7}}, "proxy", None, id="proxy"),
        pytest.param({"sizeBytes": {"max": 1000000}}, "size_bytes", None, id="size"),
        pytest.param(
            {"latencyMillis": {"max": 1.5, "batch": 10}}, "latency_millis", None, id="latency"
        ),
    ],
)
def test_it_takes(schema: Structural, gate: dict[str, Any], name: str, column: str | None) -> None:
    assert complaints(schema, gate, "binary") == ""
    parsed = Gate.model_validate(gate)
    assert (parsed.name, parsed.column) == (name, column)


@pytest.mark.parametrize(
    ("gate", "task", "sentence"),
    [
        pytest.param({}, "binary", "exactly one of metric, fairness, calibration", id="nothing"),
        pytest.param(
            {**FAIR, "metric": "recall"}, "binary", "exactly one of metric, fairness", id="two"
        ),
        pytest.param({"metric": "recall"}, "binary", "exactly one of min, max", id="no limit"),
        pytest.param(
            {"metric": "recall", "min": 0.1, "max": 0.2}, "binary", "exactly one of min", id="both"
        ),
        pytest.param(
            {"fairness": "equalized_odds_difference", "max": 0.1},
            "binary",
            "fairness needs an attribute",
            id="no attribute",
        ),
        pytest.param(
            {"metric": "recall", "min": 0.5, "attribute": "plan"},
            "binary",
            "nothing else takes one",
            id="an attribute of nothing",
        ),
        pytest.param(
            {k: v for k, v in FAIR.items() if k != "max"},
            "binary",
            "fairness needs a max",
            id="no maximum",
        ),
        pytest.param({**FAIR, "max": 1.5}, "binary", "a max above 0 and below 1", id="too much"),
        pytest.param(
            {**FAIR, "champion": {"notWorseBy": 0.1}},
            "binary",
            "min and champion are for a metric",
            id="fairness against a champion",
        ),
        pytest.param(
            {"sizeBytes": {"max": 10}, "max": 10}, "binary", "a max of their own", id="two maxima"
        ),
        pytest.param(
            {**FAIR, "slice": {"column": "plan"}}, "binary", "slice is for a metric", id="slice"
        ),
        pytest.param(FAIR, "multiclass", "for task binary", id="fairness of several classes"),
        pytest.param(
            {"calibration": {"max": 0.1}},
            "regression",
            "calibration gates are for classification",
            id="calibration of numbers",
        ),
        pytest.param(
            {"proxy": {"column": "gender", "max": 0.7}},
            "binary",
            "the column of a proxy gate must be in data.sensitive",
            id="a proxy of another column",
        ),
        pytest.param(
            {"metric": "rmse", "max": 1}, "binary", "task binary is judged by", id="metric"
        ),
    ],
)
def test_it_refuses_with_a_sentence(
    schema: Structural, gate: dict[str, Any], task: str, sentence: str
) -> None:
    assert sentence in complaints(schema, gate, task)


@pytest.mark.parametrize(
    ("data", "tests", "fits"),
    [
        pytest.param("s3://lake/x", "s3://lake/tests.jsonl", True, id="no claim"),
        pytest.param("pvc://lake/x", "pvc://lake/a/tests.jsonl", True, id="the data's claim"),
        pytest.param("pvc://lake/x", "pvc://other/tests.jsonl", False, id="another claim"),
        pytest.param("s3://lake/x", "pvc://lake/tests.jsonl", False, id="no claim of the data"),
    ],
)
def test_model_tests_come_from_no_other_claim(
    schema: Structural, data: str, tests: str, fits: bool
) -> None:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": {
            "model": "churn",
            "data": {"uri": data, "task": "binary", "target": "churned"},
            "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
            "evaluation": {"tests": {"uri": tests}},
        },
    }
    schema.default(item)
    found = "; ".join(str(cause) for cause in schema.validate(item))
    assert ("only that of data.uri is mounted" in found) is not fits
