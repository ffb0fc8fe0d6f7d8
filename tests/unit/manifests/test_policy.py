"""Importing, approving and promoting need verbs of their own (a real API server says the same:
tests/integration/admission)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from admission import problems

from pawl.control.rights import RULES
from pawl.core import commands

BASE = Path(__file__).parents[3] / "manifests" / "base"
POLICY, BINDING = yaml.safe_load_all((BASE / "policy.yaml").read_text())
VERSIONS, DEPLOYMENTS = "modelversions", "modeldeployments"
NOBODY: frozenset[str] = frozenset()
IMPORT, APPROVE, PROMOTE = f"import {VERSIONS}", f"approve {VERSIONS}", f"promote {DEPLOYMENTS}"


def version(approval: str | None = None) -> dict[str, Any]:
    spec = {"model": "m"} | ({"approval": approval} if approval else {})
    return {"metadata": {"name": "m-v1"}, "spec": spec}


def deployment(**annotations: str) -> dict[str, Any]:
    named = {f"pawl.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    meta = {"name": "m"} | ({"annotations": named} if named else {})
    return {"metadata": meta, "spec": {"model": "m"}}


@pytest.mark.parametrize(
    ("rights", "approval", "missing"),
    [
        pytest.param({}, "Required", ["import"], id="no verb"),
        pytest.param({IMPORT}, "Required", [], id="import waits for approval"),
        pytest.param({IMPORT}, "Rejected", [], id="import of what is not served"),
        pytest.param({IMPORT}, None, ["approve"], id="Automatic is the default"),
        pytest.param({IMPORT}, "Approved", ["approve"], id="who imports does not approve"),
        pytest.param({APPROVE}, "Approved", ["import"], id="who approves does not import"),
        pytest.param({IMPORT, APPROVE}, "Approved", [], id="both"),
        pytest.param({PROMOTE}, "Approved", ["import", "approve"], id="another verb"),
    ],
)
def test_to_create_a_version_is_to_import(rights: set[str], approval: str | None, missing: Any):
    said = problems(POLICY, frozenset(rights), VERSIONS, version(approval))
    assert [text.split(" the verb ")[1].split()[0] for text in said] == missing
    assert all(text.startswith("ada may not ") for text in said)


@pytest.mark.parametrize("after", ["Approved", "Rejected", "Automatic", None])
def test_to_change_approval_is_to_approve(after: str | None):
    old, new = version("Required"), version(after)
    assert problems(POLICY, frozenset({IMPORT}), VERSIONS, new, old)
    assert not problems(POLICY, frozenset({APPROVE}), VERSIONS, new, old)


@pytest.mark.parametrize("approval", ["Required", "Approved", None])
def test_what_leaves_approval_as_it_is_needs_no_verb(approval: str | None):
    old, new = version(approval), version(approval)
    new["metadata"]["labels"] = {"team": "a"}
    assert not problems(POLICY, NOBODY, VERSIONS, new, old)


@pytest.mark.parametrize("name", ["promote", "abort", "pause", "retry", "reset_breaker"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, "m-v2", id="given"),
        pytest.param("m-v1", "m-v2", id="changed"),
        pytest.param("m-v1", {}, id="taken back"),
    ],
)
def test_commands_need_promote(name: str, before: Any, after: Any):
    old = deployment(**({name: before} if before else {}))
    new = deployment(**({name: after} if after else {}))
    (said,) = problems(POLICY, frozenset({APPROVE}), DEPLOYMENTS, new, old)
    assert "the verb promote" in said
    assert not problems(POLICY, frozenset({PROMOTE}), DEPLOYMENTS, new, old)


def test_a_new_deployment_may_not_bring_a_command():
    assert problems(POLICY, NOBODY, DEPLOYMENTS, deployment(promote="m-v1"))
    assert not problems(POLICY, NOBODY, DEPLOYMENTS, deployment(team="a"))


def test_a_command_that_stands_does_not_hinder_other_changes():
    old = deployment(promote="m-v1")
    new = {**deployment(promote="m-v1", team="a"), "spec": {"model": "m", "replicas": 2}}
    assert not problems(POLICY, NOBODY, DEPLOYMENTS, new, old)


def test_every_command_is_known_to_the_policy():
    variable = next(v for v in POLICY["spec"]["variables"] if v["name"] == "commands")
    told = [getattr(commands, n) for n in ("PROMOTE", "ABORT", "PAUSE", "RETRY", "RESET")]
    assert variable["expression"] == "[" + ", ".join(f"'{name}'" for name in told) + "]"


def test_the_operator_has_the_verbs_of_what_it_creates():
    rights = frozenset(f"{v} {r}" for rule in RULES for r in rule.resources for v in rule.verbs)
    assert not problems(POLICY, rights, VERSIONS, version("Automatic"))


def test_the_policy_is_in_force():
    assert BINDING["spec"] == {"policyName": "pawl-verbs", "validationActions": ["Deny"]}
    assert POLICY["spec"]["failurePolicy"] == "Fail"
