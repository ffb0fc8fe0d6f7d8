"""What the CRD takes and refuses of `spec.data`, judged as an API server judges it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pawl.api.crds import all_crds
from pawl.api.data import Data
from pawl.api.trainingjob import TrainingJobSpec
from pawl.core.recipe import recipe_digest
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
        pytest.param({"maxPsi": 0.25}, id="maxPsi"),
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
        pytest.param({"column": "x", "maxPsi": 1}, "a check has one of", id="psi of one"),
        pytest.param({"minRows": 1, "pattern": "x"}, "do without a column", id="no column"),
        pytest.param({"column": "x", "pattern": "("}, "pattern", id="no pattern"),
        pytest.param({"column": "x", "notAfter": "today"}, "notAfter", id="no date"),
    ],
)
def test_what_is_no_check_is_refused(schema: Structural, check: dict[str, Any], said: str) -> None:
    assert said in complaints(schema, checks=[check])


def test_a_source_as_of_a_time_needs_the_time_of_the_rows(schema: Structural) -> None:
    source = {"name": "s", "uri": "s3://lake/s/", "key": ["id"], "asOf": {"time": "since"}}
    assert "asOf needs timeColumn" in complaints(schema, sources=[source])
    assert not complaints(schema, sources=[source], timeColumn="at")


def _data(**changes: Any) -> Data:
    base = {"uri": "file:///d.csv", "task": "binary", "target": "y", "sensitive": ["gender"]}
    base |= {"idColumns": ["id"], "labels": {"annotators": ["anna", "bo"]}}
    return Data.model_validate(base | changes)


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        pytest.param({"name": "f", "expression": "y + 1"}, "uses y, which is the target", id="y"),
        pytest.param(
            {"name": "f", "expression": "gender == 'f'"}, "gender, which is sensitive", id="hidden"
        ),
        pytest.param({"name": "f", "expression": "len(id)"}, "id, which is an id column", id="id"),
        pytest.param({"name": "y", "expression": "x"}, "the name of the target", id="named target"),
        pytest.param(
            {"name": "f", "expression": "anna"}, "anna, which is an annotator's label", id="label"
        ),
        pytest.param({"name": "f", "expression": "eval(x)"}, "is not understood", id="grammar"),
    ],
)
def test_a_derived_feature_that_cannot_be_is_told(derived: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        _data(derived=[derived])


PLANS = {"name": "plans", "uri": "pvc://crm/plans.csv", "key": ["customer"]}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        pytest.param([PLANS, {**PLANS, "name": "prices", "how": "inner"}], "", id="two"),
        pytest.param([{**PLANS, "key": []}], "key", id="no key"),
        pytest.param([{**PLANS, "how": "outer"}], "how", id="no such join"),
        pytest.param([{**PLANS, "uri": "plans.csv"}], "uri", id="no URI"),
    ],
)
def test_sources_have_a_name_and_a_key(schema: Structural, sources: list[Any], said: str) -> None:
    found = complaints(schema, sources=sources)
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param({"pin": "version"}, "", id="versions of s3"),
        pytest.param({"pin": "snapshot", "uri": "pvc://a/b.csv"}, "", id="a snapshot of any"),
        pytest.param(
            {"pin": "version", "uri": "pvc://a/b.csv"}, "pin version is for s3:// only", id="rows"
        ),
        pytest.param(
            {"pin": "version", "sources": [PLANS]}, "pin version is for s3:// only", id="a source"
        ),
    ],
)
def test_versions_are_those_of_s3(schema: Structural, data: dict[str, Any], said: str) -> None:
    found = complaints(schema, **data)
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param({"labels": {"annotators": ["a", "b"], "minKappa": 0.6}}, "", id="two"),
        pytest.param({"labels": {"annotators": ["a", "churned"]}}, "", id="one is the target"),
        pytest.param({"labels": {"annotators": ["a"]}}, "annotators", id="one"),
        pytest.param({"labels": {"annotators": ["a", "b", "a"]}}, "column once", id="twice"),
        pytest.param({"labels": {"annotators": ["a", "b"], "minKappa": 1}}, "minKappa", id="1"),
        pytest.param(
            {"labels": {"annotators": ["a", "b"]}, "task": "regression"},
            "for classification",
            id="numbers",
        ),
        pytest.param(
            {"labels": {"annotators": ["a", "b"]}, "features": ["b", "c"]},
            "cannot be a feature",
            id="a feature",
        ),
        pytest.param(
            {"labels": {"annotators": ["a", "churned"], "aggregate": "majority"}},
            "a name that no annotator has",
            id="the target is one of those it is made of",
        ),
    ],
)
def test_labels_are_classes_by_two_or_more(
    schema: Structural, data: dict[str, Any], said: str
) -> None:
    found = complaints(schema, **data)
    assert said in found
    assert bool(found) == bool(said)


def test_how_data_are_kept_is_not_what_is_trained() -> None:
    def digest(**data: Any) -> str:
        every = {"uri": "s3://lake/churn/", "task": "binary", "target": "churned", **data}
        trainer = {"sklearn": {"estimator": "sklearn.svm.SVC"}}
        spec = {"model": "churn", "data": every, "trainer": trainer}
        return recipe_digest(TrainingJobSpec.model_validate(spec))

    assert digest(pin="snapshot") == digest()
    assert digest(sources=[PLANS]) != digest()
