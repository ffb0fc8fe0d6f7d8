"""The roles of the manifests: the operator's says what the code says, and nobody writes status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import render

from pawl.control.rights import RULES

ROLES = {
    item["metadata"]["name"]: item for item in render.objects() if item["kind"] == "ClusterRole"
}
WANTED, AT_HOME = (
    {
        (rule.group, resource, verb, name)
        for rule in RULES
        if rule.home is home
        for resource in rule.resources
        for verb in rule.verbs
        for name in rule.names or ("",)
    }
    for home in (False, True)
)


def flat(rules: list[Mapping[str, Any]]) -> set[tuple[str, str, str, str]]:
    """(group, resource, verb, name or "")."""
    return {
        (group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def rights(items: list[dict[str, Any]], namespace: str | None) -> set[tuple[str, str, str, str]]:
    """Of the operator's roles in a namespace; None: of its ClusterRoles."""
    return {
        right
        for item in items
        if item["kind"] in ("Role", "ClusterRole")
        and item["metadata"]["name"].startswith("pawl-operator")
        and item["metadata"].get("namespace") == namespace
        for right in flat(item["rules"])
    }


def test_the_operator_has_the_rights_of_the_code_and_no_others():
    made = render.objects()
    assert rights(made, None) == WANTED
    assert rights(made, render.NAMESPACE) == AT_HOME


def test_named_namespaces_give_the_same_rights_there():
    made = render.objects({"namespaces": ["ml"]})
    classes = {("gateway.networking.k8s.io", "gatewayclasses", "get", "")}
    assert rights(made, None) == classes
    assert rights(made, render.NAMESPACE) == AT_HOME
    assert rights(made, "ml") == WANTED - classes


@pytest.mark.parametrize("name", sorted(ROLES))
def test_there_are_no_wildcards(name: str):
    assert all("*" not in part for right in flat(ROLES[name]["rules"]) for part in right)


def test_secrets_are_read_by_name_only():
    verbs = {(verb, name) for _, what, verb, name in WANTED if what == "secrets"}
    assert verbs == {("create", ""), ("get", "pawl-notify"), ("get", "pawl-mlflow")}


@pytest.mark.parametrize("name", ["pawl-view", "pawl-edit", "pawl-approver"])
def test_people_write_no_status(name: str):
    assert not any("/" in resource for _, resource, _, _ in flat(ROLES[name]["rules"]))


def test_who_edits_neither_writes_versions_nor_has_verbs_of_ours():
    may = {(what, verb) for _, what, verb, _ in flat(ROLES["pawl-edit"]["rules"])}
    assert not {verb for _, verb in may} & {"approve", "import", "promote"}
    assert {verb for what, verb in may if what == "modelversions"} == {
        "delete",
        "deletecollection",
    }
