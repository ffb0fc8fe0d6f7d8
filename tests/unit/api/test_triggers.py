"""What the CRD takes and refuses of what starts runs; none of it is part of the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.api.crds import all_crds
from pawl.api.trainingjob import TrainingJobSpec
from pawl.api.triggers import TRIGGERS
from pawl.core.recipe import recipe_digest
from pawl.local.schema.structural import Structural

RECIPE: dict[str, Any] = {
    "model": "churn",
    "data": {"uri": "s3://lake/churn/", "task": "binary", "target": "churned"},
    "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
}
ALL = {
    "schedule": "0 3 * * 1",
    "timeZone": "Europe/Berlin",
    "startingDeadlineSeconds": 600,
    "concurrencyPolicy": "Replace",
    "onDataChange": {"interval": "15m"},
}


def complaints(kind: str, spec: dict[str, Any]) -> str:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == kind)
    schema = Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": spec,
    }
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(ALL, id="all"),
        pytest.param({"schedule": "*/5 1-3,7 * JAN MON#1"}, id="a schedule alone"),
        pytest.param({"onDataChange": {"interval": "10s"}}, id="the shortest interval"),
        pytest.param({"onDataChange": {"interval": "1m5s"}}, id="five seconds above a minute"),
        pytest.param({"failedRunsHistoryLimit": 0}, id="no history of failures"),
    ],
)
def test_it_takes(fields: dict[str, Any]) -> None:
    assert complaints("TrainingJob", RECIPE | fields) == ""
    TrainingJobSpec.model_validate(RECIPE | fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({"schedule": "@daily"}, "schedule has five fields", id="a word"),
        pytest.param({"schedule": "TZ=UTC 0 3 * * 1"}, "goes into timeZone", id="a zone in it"),
        pytest.param({"schedule": "0 0 3 * * 1"}, "five fields", id="seconds"),
        pytest.param({"timeZone": "UTC"}, "are for a schedule", id="a zone of nothing"),
        pytest.param(
            {"schedule": "0 3 * * 1", "concurrencyPolicy": "Allow"}, '"Forbid"', id="two at once"
        ),
        pytest.param({"onDataChange": {"interval": "9s"}}, "10s at least", id="too often"),
        pytest.param({"onDataChange": {"interval": "0m"}}, "10s at least", id="without a pause"),
        pytest.param({"onDataChange": {"interval": "0h0m9s"}}, "10s at least", id="in disguise"),
    ],
)
def test_it_refuses_with_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert sentence in complaints("TrainingJob", RECIPE | fields)


def test_the_template_of_a_retrain_takes_none_of_it() -> None:
    spec = {"model": "churn", "retrain": {"template": RECIPE | {"schedule": "0 3 * * 1"}}}
    assert "drift starts retrains" in complaints("Deployment", spec)


def test_none_of_it_changes_the_recipe() -> None:
    assert set(ALL) == set(TRIGGERS)
    plain = TrainingJobSpec.model_validate(RECIPE)
    assert recipe_digest(TrainingJobSpec.model_validate(RECIPE | ALL)) == recipe_digest(plain)


def test_the_example_is_taken() -> None:
    path = Path(__file__).parents[3] / "manifests/examples/continuous/trainingjob.yaml"
    spec = yaml.safe_load(path.read_text())["spec"]
    assert complaints("TrainingJob", spec) == ""
    assert TrainingJobSpec.model_validate(spec).schedule
