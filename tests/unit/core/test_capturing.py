"""What cannot be captured is said where the user looks."""

from __future__ import annotations

from typing import Any

import pytest
from world import DIGEST, NOW

from pawl.api.capture import CaptureSpec
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
    capturing.tell(conditions, spec, "m-v1", read_versions([version], "m"))
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


def test_who_asks_for_nothing_is_told_nothing():
    assert told(None, "age") is None
