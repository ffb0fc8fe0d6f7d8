"""The OpenAPI documents that clients read."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from pawl.local.schema import openapi
from pawl.local.schema.openapi import Resource

CRD_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A thing.",
    "properties": {
        "metadata": {"type": "object"},
        "spec": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
    },
}
RESOURCES = [
    Resource("", "v1", "Pod", "pods", True, ("status",)),
    Resource("", "v1", "Namespace", "namespaces", False, ("status",)),
    Resource("apps", "v1", "Deployment", "deployments", True, ("status", "scale")),
    Resource("pawl.dev", "v1alpha1", "Thing", "things", True, ("status",), CRD_SCHEMA),
]


def document(root: str) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(openapi.v3_document(root, RESOURCES, server="v1.36.0"))
    return loaded


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from references(item)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_the_index_names_a_document_per_group_version() -> None:
    paths = openapi.v3_index(RESOURCES)["paths"]
    assert list(paths) == ["api/v1", "apis/apps/v1", "apis/pawl.dev/v1alpha1"]
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1?hash=")


def test_the_hash_changes_with_a_schema() -> None:
    before = openapi.v3_index(RESOURCES)["paths"]
    other = Resource("pawl.dev", "v1alpha1", "Thing", "things", True, ("status",), {})
    after = openapi.v3_index([*RESOURCES[:3], other])["paths"]
    changed = [root for root in before if before[root] != after[root]]
    assert changed == ["apis/pawl.dev/v1alpha1"]


@pytest.mark.parametrize("root", ["api/v1", "apis/apps/v1", "apis/pawl.dev/v1alpha1"])
def test_every_reference_leads_somewhere(root: str) -> None:
    loaded = document(root)
    names = {f"#/components/schemas/{name}" for name in loaded["components"]["schemas"]}
    assert set(references(loaded)) <= names


def test_patches_say_what_they_accept() -> None:
    paths = document("apis/apps/v1")["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps", "kind": "Deployment", "version": "v1",
    }  # fmt: skip
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    assert {p["name"] for p in patch["parameters"]} == {
        "dryRun", "fieldManager", "fieldValidation", "force",
    }  # fmt: skip
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" in paths
    assert "/api/v1/namespaces/{name}" in document("api/v1")["paths"]


def test_custom_resources_get_no_strategic_patch_and_standard_metadata() -> None:
    loaded = document("apis/pawl.dev/v1alpha1")
    path = "/apis/pawl.dev/v1alpha1/namespaces/{namespace}/things/{name}"
    content = loaded["paths"][path]["patch"]["requestBody"]["content"]
    assert "application/strategic-merge-patch+json" not in content
    schema = loaded["components"]["schemas"]["dev.pawl.v1alpha1.Thing"]
    assert schema["x-kubernetes-group-version-kind"] == [
        {"group": "pawl.dev", "kind": "Thing", "version": "v1alpha1"}
    ]
    assert schema["properties"]["metadata"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    ]
    assert schema["properties"]["spec"] == CRD_SCHEMA["properties"]["spec"]
    assert CRD_SCHEMA["properties"]["metadata"] == {"type": "object"}


def test_built_in_schemas_keep_merge_keys_and_lose_null_types() -> None:
    spec = document("api/v1")["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]
    containers = spec["properties"]["containers"]
    assert containers["type"] == "array"
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert spec["properties"]["affinity"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.api.core.v1.Affinity"}
    ]


def test_version_two_has_everything_in_one_document() -> None:
    loaded = orjson.loads(openapi.v2_document(RESOURCES, server="v1.36.0"))
    assert loaded["swagger"] == "2.0"
    names = {f"#/definitions/{name}" for name in loaded["definitions"]}
    assert set(references(loaded)) <= names
    assert {"io.k8s.api.apps.v1.Deployment", "dev.pawl.v1alpha1.Thing"} <= set(
        loaded["definitions"]
    )
    patch = loaded["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert "application/merge-patch+json" in patch["consumes"]
