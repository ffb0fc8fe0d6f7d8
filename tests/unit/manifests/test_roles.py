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
WANTED = {
    (rule.group, resource, verb, name)
    for rule in RULES
    for resource in rule.resources
    for verb in rule.verbs
    for name in rule.names or ("",)
}


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


def test_the_operator_has_the_rights_of_the_code_and_no_others():
    assert flat(ROLES["pawl-operator"]["rules"]) == WANTED


def test_named_namespaces_give_the_same_rights_there():
    """Kopf looks which kinds there are where it is told nothing; else it asks for ours only."""
    made = render.objects({"namespaces": ["ml"]})
    ours = [item for item in made if item["metadata"]["name"].startswith("pawl-operator")]
    roles = [item for item in ours if item["kind"] in ("Role", "ClusterRole")]
    elsewhere = [item for item in roles if item["kind"] == "ClusterRole"]
    assert flat([rule for item in elsewhere for rule in item["rules"]]) == {
        ("gateway.networking.k8s.io", "gatewayclasses", "get", "")
    }
    rights = flat([rule for item in roles for rule in item["rules"]])
    assert rights == {right for right in WANTED if right[0] != "apiextensions.k8s.io"}


@pytest.mark.parametrize("name", sorted(ROLES))
def test_there_are_no_wildcards(name: str):
    assert all("*" not in part for right in flat(ROLES[name]["rules"]) for part in right)


def test_secrets_are_read_by_name_only():
    rights = flat(ROLES["pawl-operator"]["rules"])
    read = [
        (verb, name) for _, what, verb, name in rights if what == "secrets" and verb != "create"
    ]
    assert read == [("get", "pawl-notify")]


@pytest.mark.parametrize("name", ["pawl-view", "pawl-edit", "pawl-approver"])
def test_people_write_no_status(name: str):
    assert not any("/" in resource for _, resource, _, _ in flat(ROLES[name]["rules"]))


def test_who_edits_neither_writes_versions_nor_has_verbs_of_ours():
    rights = {(what, verb) for _, what, verb, _ in flat(ROLES["pawl-edit"]["rules"])}
    assert not {verb for _, verb in rights} & {"approve", "import", "promote"}
    assert {verb for what, verb in rights if what == "modelversions"} == {
        "delete",
        "deletecollection",
    }
