"""spec.capture: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.api.crds import KINDS, crd
from pawl.api.deployment import DeploymentSpec
from pawl.local.schema.structural import Structural

GIVEN = {"percent": 0.5, "uri": "s3://lake/churn/captured"}


@pytest.fixture(scope="module", name="schema")
def schema_of_deployments() -> Structural:
    deployment = next(kind for kind in KINDS if kind.kind == "Deployment")
    return Structural(crd(deployment)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def complaints(schema: Structural, capture: Any, **spec: Any) -> str:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "churn"},
        "spec": {"model": "churn", "capture": capture, **spec},
    }
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


def test_takes(schema: Structural) -> None:
    given = {**GIVEN, "drop": ["email"], "hash": ["customer"], "retention": "90d"}
    assert complaints(schema, given) == ""
    parsed = DeploymentSpec.model_validate({"model": "churn", "capture": given}).capture
    assert parsed is not None
    assert (parsed.drop, parsed.hash) == (("email",), ("customer",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"percent": 0}, "percent", id="none"),
        pytest.param({"percent": 100.5}, "percent", id="more than all"),
        pytest.param({"uri": "https://lake/x"}, "uri", id="cannot be written"),
        pytest.param({"uri": "s3://key:secret@lake/x"}, "uri", id="credentials"),
        pytest.param({"drop": ["a", "b"], "hash": ["b"]}, "one of the lists", id="both"),
        pytest.param({"retention": "90 days"}, "retention", id="retention"),
    ],
)
def test_refuses(change: Any, words: str, schema: Structural) -> None:
    assert words in complaints(schema, {**GIVEN, **change})


def test_hashes_need_the_key_of_feedback(schema: Structural) -> None:
    without = {"server": {"feedback": False}}
    assert "needs server.feedback" in complaints(schema, {**GIVEN, "hash": ["a"]}, **without)
    assert complaints(schema, GIVEN, **without) == ""
    assert complaints(schema, {**GIVEN, "hash": ["a"]}) == ""
