"""The CRDs: structural, bounded, documented; and the recipe digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pawl.api.crds import KINDS, all_crds
from pawl.api.names import child_name, version_number
from pawl.api.render import rendered
from pawl.api.trainingjob import TrainingJobSpec
from pawl.core.recipe import recipe_digest

ROOT = Path(__file__).parents[3]
SPEC: dict[str, Any] = {
    "model": "churn",
    "data": {"uri": "s3://lake/churn/", "task": "binary", "target": "churned"},
    "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
}


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


def schemas() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for crd in all_crds():
        root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        found += list(nodes(root, crd["spec"]["names"]["kind"]))
    return found


@pytest.mark.parametrize("name", rendered())
def test_what_is_committed_is_fresh(name: str):
    assert (ROOT / name).read_text() == rendered()[name]


def test_every_node_is_structural():
    for path, node in schemas():
        assert not {"$ref", "anyOf", "oneOf", "allOf", "const", "title"} & set(node), path
        free = node.get("x-kubernetes-int-or-string")
        assert "type" in node or free, path


def test_every_list_map_and_string_is_bounded():
    for path, node in schemas():
        if ".metadata" in path or path.endswith((".apiVersion", ".kind")):
            continue
        if node.get("type") == "array":
            assert "maxItems" in node, path
        elif node.get("type") == "object" and "properties" not in node:
            assert "maxProperties" in node, path
        elif node.get("type") == "string":
            assert {"maxLength", "enum"} & set(node), path


def test_every_spec_field_at_the_top_is_described():
    for crd in all_crds():
        root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            assert root["properties"][part]["description"]


def test_each_crd_is_small_enough_for_client_side_apply():
    """The annotation that it writes holds the object in compact JSON, and 256 KiB."""
    for crd in all_crds():
        assert len(json.dumps(crd, separators=(",", ":"))) < 200_000


def test_names_that_the_documentation_promises():
    assert [(kind.kind, kind.plural, kind.short) for kind in KINDS] == [
        ("TrainingJob", "trainingjobs", "tj"),
        ("ModelVersion", "modelversions", "mv"),
        ("Deployment", "modeldeployments", "mdep"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"seed": 0}, id="a default spelled out"),
        pytest.param({"suspend": True}, id="suspend"),
        pytest.param({"backoffLimit": 9}, id="backoffLimit"),
        pytest.param({"approval": "Required"}, id="approval"),
        pytest.param({"cause": {"deployment": "churn", "reason": "Drifted"}}, id="cause"),
        pytest.param({"data": {**SPEC["data"], "format": "auto"}}, id="a nested default"),
    ],
)
def test_the_recipe_digest_ignores(change: dict[str, Any]):
    assert digest(**change) == digest()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"seed": 1}, id="seed"),
        pytest.param({"evaluation": {"metrics": ["f1"]}}, id="evaluation"),
        pytest.param({"data": {**SPEC["data"], "uri": "s3://lake/other/"}}, id="data"),
        pytest.param({"template": {"nodeSelector": {"gpu": "yes"}}}, id="template"),
    ],
)
def test_the_recipe_digest_changes_with(change: dict[str, Any]):
    assert digest(**change) != digest()


def digest(**change: Any) -> str:
    return recipe_digest(TrainingJobSpec.model_validate({**SPEC, **change}))


def test_long_names_stay_different_and_short_enough():
    one, two = child_name("a" * 80, "v1"), child_name("a" * 80, "v2")
    assert one != two
    assert len(one) <= 63


def test_a_version_has_its_number_in_its_name():
    assert version_number("churn-v12") == 12
    with pytest.raises(ValueError, match="not the name"):
        version_number("churn")


#: What YAML 1.1, and so kubectl, reads as true or false where it stands without quotes.
BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false"}


@pytest.mark.parametrize("crd", all_crds(), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_no_field_must_be_written_in_quotes(crd: dict[str, Any]):
    (version,) = crd["spec"]["versions"]
    found = (path for path, _ in nodes(version["schema"]["openAPIV3Schema"], ""))
    quoted = {path for path in found if path.rpartition(".")[2].lower() in BOOLEANS}
    counts = {path for path in quoted if path.endswith(".n")}  # Pawl writes them, as JSON
    assert quoted - counts <= {".spec.retrain.on"}  # the former name of `when`
