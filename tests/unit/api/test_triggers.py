"""What the CRD takes and refuses of what starts runs; none of it is part of the recipe."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.crds import all_crds
from pawl.api.cron import validations
from pawl.api.trainingjob import TrainingJobSpec
from pawl.api.triggers import TRIGGERS
from pawl.core.cron import problem
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


@cache
def schema_of(kind: str) -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == kind)
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def complaints(kind: str, spec: dict[str, Any]) -> str:
    schema = schema_of(kind)
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
        pytest.param({"schedule": "60 3 * * 1"}, "the minute takes 0 to 59", id="minute"),
        pytest.param({"schedule": "0 24 * * 1"}, "the hour takes 0 to 23", id="hour"),
        pytest.param({"schedule": "0 3 0 * *"}, "the day of month takes 1 to 31", id="day"),
        pytest.param({"schedule": "0 3 * 13 *"}, "the month takes 1 to 12", id="month"),
        pytest.param({"schedule": "0 3 * * MO"}, "the day of week takes 0 to 7", id="weekday"),
        pytest.param({"schedule": "*/0 3 * * *"}, "steps like */2", id="a step of nothing"),
        pytest.param({"schedule": "0,, 3 * * *"}, "lists like 1,5", id="a list with a hole"),
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


VALUES = st.one_of(
    st.integers(0, 62).map(str),
    st.sampled_from(["*", "L", "LW", "5L", "mon", "JAN", "MON#2", "5#6", "007", "", "x", "?"]),
)
TERMS = st.builds(
    lambda value, to, step: value + to + step,
    VALUES,
    st.just("") | VALUES.map("-{}".format),
    st.just("") | st.integers(0, 9).map("/{}".format),
)
FIELDS = st.lists(TERMS, min_size=1, max_size=2).map(",".join)
SCHEMA = Structural(
    {"type": "object", "properties": {"schedule": {"type": "string", **validations()}}}
)


@settings(max_examples=150)
@given(st.integers(0, 4), FIELDS)
def test_what_the_operator_understands_is_taken_and_little_else(place: int, field: str) -> None:
    """Beyond it only ranges that go backwards, and days that never come."""
    fields = ["*"] * 5
    fields[place] = field
    schedule = " ".join(fields)
    taken = not SCHEMA.validate({"schedule": schedule})
    understood = problem(schedule, "UTC") is None and not re.search("L.?/", field)
    assert taken or not understood
    if taken and "-" not in schedule and place != 2:
        assert understood


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
