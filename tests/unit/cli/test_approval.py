"""`pawl approve | reject`: the decision and its reason, in one write."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from commandline import pawl

from pawl.errors import UserError

NUMBERS = itertools.count(1)
VERSIONS = "pawl.dev/modelversions"


@pytest.fixture
def name(api: Any) -> str:
    """A ModelVersion that waits for approval."""
    number = next(NUMBERS)
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": f"churn-v{number}"},
        "spec": {
            "model": "churn",
            "version": number,
            "artifact": {"uri": "s3://m/1", "digest": "sha256:" + "1" * 64},
            "approval": "Required",
        },
    }
    api.run(lambda: api.registry.create(VERSIONS, api.namespace, item, manager="test"))
    return f"churn-v{number}"


def found(api: Any, name: str) -> dict[str, Any]:
    return api.run(lambda: api.registry.get(VERSIONS, api.namespace, name))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("command", "approval"), [("approve", "Approved"), ("reject", "Rejected")], ids=["yes", "no"]
)
@pytest.mark.parametrize("kind", ["", "mv/", "modelversions.pawl.dev/"])
def test_the_decision_and_its_reason(api: Any, name: str, command: str, approval: str, kind: str):
    assert pawl(command, kind + name, "-m", "as seen") == f"{name} is {approval}\n"
    item = found(api, name)
    assert item["spec"]["approval"] == approval
    assert item["metadata"]["annotations"] == {
        "pawl.dev/reason": f"{command} {name}: as seen",
        "pawl.dev/requested-by": "kubernetes-admin",
    }
    writers = [
        entry["manager"]
        for entry in item["metadata"]["managedFields"]
        if "f:approval" in entry["fieldsV1"].get("f:spec", {})
    ]
    assert writers == ["pawl-cli"]


def test_nothing_is_decided_without_a_reason(api: Any, name: str):
    with pytest.raises(UserError, match="say why"):
        pawl("approve", name)
    assert found(api, name)["spec"]["approval"] == "Required"


@pytest.mark.parametrize("target", ["mdep/churn", "mv/", "a/mv/churn-v1"])
def test_names_of_something_else(target: str):
    with pytest.raises(UserError, match="write mv/"):
        pawl("approve", target, "-m", "so")


def test_a_version_that_is_not_there():
    with pytest.raises(UserError, match="no ModelVersion churn-v999 in namespace ml"):
        pawl("reject", "churn-v999", "-m", "so")
