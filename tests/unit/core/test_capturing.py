"""What cannot be captured is said where the user looks."""

from __future__ import annotations

from typing import Any

import pytest
from world import DIGEST, NOW

from pawl.api.capture import CaptureSpec
from pawl.api.deployment import DeploymentSpec
from pawl.artifacts.uris import Rules
from pawl.core import capturing
from pawl.core.conditions import Conditions
from pawl.core.versions import read_versions


def told(spec: CaptureSpec | None, *inputs: str) -> Any:
    signature = {"inputs": [{"name": n, "datatype": "FP64", "shape": [-1]} for n in inputs]}
    artifact = {"uri": "file:///x", "digest": DIGEST, "format": "onnx"}
    version = {
        "metadata": {"name": "m-v1", "namespace": "ml", "uid": "u"},
        "spec": {"model": "m", "version": 1, "artifact": artifact}
        | ({"signature": signature} if inputs else {}),
    }
    conditions = Conditions((), generation=1, now=NOW)
    capturing.tell(conditions, spec, "m-v1", read_versions([version], "m"), "")
    return next(iter(conditions.all()), None)


def capture(**fields: Any) -> CaptureSpec:
    return CaptureSpec.model_validate({"percent": 1, "uri": "s3://lake/m", **fields})


@pytest.mark.parametrize(
    ("spec", "inputs", "reason"),
    [
        pytest.param(capture(drop=["age"]), ("age", "plan"), "Configured", id="an input"),
        pytest.param(capture(drop=["mail"]), ("age",), "UnknownColumn", id="to drop, unknown"),
        pytest.param(capture(hash=["mail"]), ("age",), "UnknownColumn", id="to hash, unknown"),
        pytest.param(capture(drop=["mail"]), (), "Configured", id="of a version without inputs"),
    ],
)
def test_columns_that_there_are_not_are_named(
    spec: CaptureSpec, inputs: tuple[str, ...], reason: str
):
    found = told(spec, *inputs)
    assert found.reason == reason
    if reason == "UnknownColumn":
        assert found.message == "nothing is captured: m-v1 has no input mail"


def test_a_place_that_is_not_allowed_gets_nothing():
    spec = DeploymentSpec(model="m", capture=capture(uri="s3://pawl/decisions/x"))
    acted_on, refused = capturing.allowed(spec, "ml", Rules("s3://pawl"))
    assert acted_on.capture is None
    conditions = Conditions((), generation=1, now=NOW)
    capturing.tell(conditions, acted_on.capture, "m-v1", (), refused)
    (found,) = conditions.all()
    assert (found.status, found.reason) == ("False", "UriNotAllowed")
    assert found.message.startswith("nothing is captured: s3://pawl/decisions/x is a folder")
    assert capturing.allowed(spec, "ml", Rules("s3://other")) == (spec, "")


def test_who_asks_for_nothing_is_told_nothing():
    assert told(None, "age") is None
