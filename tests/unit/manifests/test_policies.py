"""The admission policies that are shipped: what each lets pass and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from admission import problems

from pawl.core import audit

POLICIES = Path(__file__).parents[3] / "manifests/policies"
POLICY, BINDING = yaml.safe_load_all((POLICIES / "requested-by.yaml").read_text())
STAMP, STAMP_BINDING = yaml.safe_load_all((POLICIES / "stamp.yaml").read_text())


def admitted(now: Any, before: Any = None) -> bool:
    """Whether ada may write `now`."""
    return not problems(POLICY, frozenset(), "modelversions", now, before)


def item(approval: str | None = None, **annotations: str) -> Any:
    named = {f"pawl.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    named = {
        name.replace("pawl.dev/stamp-", "requested-by.pawl.dev/"): value
        for name, value in named.items()
    }
    meta = {"name": "m-v1", **({"annotations": named} if named else {})}
    return {"metadata": meta, "spec": {} if approval is None else {"approval": approval}}


@pytest.mark.parametrize(
    ("now", "before", "passes"),
    [
        pytest.param(item(), None, True, id="nothing of the kind"),
        pytest.param(item(abort="m-v2"), item(), True, id="a command without a name"),
        pytest.param(item(abort="m-v2", requested_by="ada"), item(), True, id="one's own name"),
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
    assert admitted(now, before) is passes


@pytest.mark.parametrize(
    ("now", "before", "passes"),
    [
        pytest.param(item(abort="m-v2", stamp_abort="ada"), item(), True, id="of this command"),
        pytest.param(item(abort="m-v2", stamp_abort="bob"), item(), False, id="of another"),
        pytest.param(item(stamp_abort="ada"), item(), False, id="without a command"),
        pytest.param(
            item(abort="m-v2", stamp_abort="bob", pause="m-v2"),
            item(abort="m-v2", stamp_abort="bob"), True, id="of a command that stands",
        ),
        pytest.param(
            item(abort="m-v3", stamp_abort="bob"), item(abort="m-v2", stamp_abort="bob"), False,
            id="left behind beside a new command",
        ),
        pytest.param(
            item("Approved", stamp_approval="ada"), item("Required"), True, id="of a decision"
        ),
        pytest.param(item("Required", stamp_import="ada"), None, True, id="of an import"),
        pytest.param(item("Required", stamp_import="bob"), None, False, id="of another's import"),
    ],
)  # fmt: skip
def test_a_stamp_is_that_of_who_asks(now: Any, before: Any, passes: bool):
    assert admitted(now, before) is passes


@pytest.mark.parametrize("policy", [POLICY, STAMP], ids=["vouches", "stamps"])
def test_each_knows_every_command(policy: Any):
    (given,) = (v for v in policy["spec"]["variables"] if v["name"] == "commands")
    assert all(f"'{name}'" in given["expression"] for name in audit.WORDS)


def test_it_is_bound_and_denies():
    assert BINDING["spec"]["policyName"] == POLICY["metadata"]["name"]
    assert BINDING["spec"]["validationActions"] == ["Deny"]
    assert STAMP_BINDING["spec"] == {"policyName": STAMP["metadata"]["name"]}
