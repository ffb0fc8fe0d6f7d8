"""The admission policies that are shipped: what each lets pass and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cel
import pytest
import yaml

from pawl.core import audit

FILE = Path(__file__).parents[3] / "manifests/policies/requested-by.yaml"
POLICY, BINDING = yaml.safe_load_all(FILE.read_text())


def admitted(user: str, now: Any, before: Any = None) -> bool:
    """As the API server evaluates it: variables are expressions over the same objects."""
    context: dict[str, Any] = {
        "object": now,
        "oldObject": before,
        "request": {"userInfo": {"username": user}},
        "variables": {},
    }
    for variable in POLICY["spec"]["variables"]:
        found = cel.evaluate(variable["expression"], context)
        context["variables"] = {**context["variables"], variable["name"]: found}
    return all(cel.evaluate(v["expression"], context) for v in POLICY["spec"]["validations"])


def item(approval: str | None = None, **annotations: str) -> Any:
    named = {f"pawl.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    spec = {} if approval is None else {"approval": approval}
    return {"metadata": {"annotations": named} if named else {}, "spec": spec}


@pytest.mark.parametrize(
    ("now", "before", "passes"),
    [
        pytest.param(item(), None, True, id="nothing of the kind"),
        pytest.param(item(abort="m-v2"), item(), True, id="a command without a name"),
        pytest.param(item(abort="m-v2", requested_by="alice"), item(), True, id="one's own name"),
        pytest.param(item(abort="m-v2", requested_by="bob"), item(), False, id="another's name"),
        pytest.param(item(requested_by="bob"), None, False, id="another's name from the beginning"),
        pytest.param(
            item(abort="m-v3", requested_by="bob"), item(abort="m-v2", requested_by="bob"), False,
            id="a command beside another's name",
        ),
        pytest.param(
            item("Approved", requested_by="bob"), item("Required", requested_by="bob"), False,
            id="an approval beside another's name",
        ),
        pytest.param(
            item("Approved", requested_by="bob"), item("Approved", requested_by="bob"), True,
            id="another change beside what stands",
        ),
    ],
)  # fmt: skip
def test_nobody_writes_the_name_of_another(now: Any, before: Any, passes: bool):
    assert admitted("alice", now, before) is passes


def test_it_knows_every_command():
    (given,) = (v for v in POLICY["spec"]["variables"] if v["name"] == "given")
    assert all(f"'{name}'" in given["expression"] for name in (*audit.WORDS, audit.REQUESTED_BY))


def test_it_is_bound_and_denies():
    assert BINDING["spec"]["policyName"] == POLICY["metadata"]["name"]
    assert BINDING["spec"]["validationActions"] == ["Deny"]
