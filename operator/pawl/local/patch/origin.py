"""What field management compares with: schemas with metadata, and objects nobody has filled in."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import definitions

Schema = dict[str, Any]
JsonObject = dict[str, Any]
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Struct fields of built-in kinds that are no pointers: in Go they exist in an empty object.
_VALUE_FIELDS = frozenset(
    {
        "metadata",
        "spec",
        "status",
        "template",
        "strategy",
        "updateStrategy",
        "jobTemplate",
        "resources",
        "scaleTargetRef",
        "source",
    }
)
# Required lists that Go leaves out when they are nil.
_OMITTED = frozenset({"validationActions"})


def with_meta(schema: Schema) -> Schema:
    """CRD schemas leave apiVersion, kind and metadata to the server."""
    meta = definitions.resolve(_OBJECT_META)
    if schema.get("x-kubernetes-group-version-kind") and "x-go-type" in schema:
        return schema
    common = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": meta}
    return {**schema, "properties": {**schema.get("properties", {}), **common}}


def empty(obj: JsonObject, schema: Schema) -> JsonObject:
    """What Go makes of an object nobody has filled in: the kind, and for built-in kinds the
    structs that are not behind pointers."""
    return {**bare(obj), **(_structs(schema) if "x-go-type" in schema else {"metadata": {}})}


def bare(obj: JsonObject) -> JsonObject:
    return {name: obj[name] for name in ("apiVersion", "kind") if name in obj}


def _structs(schema: Schema) -> JsonObject:
    fields = schema.get("properties", {})
    filled: JsonObject = {
        name: _structs(sub)
        for name, sub in fields.items()
        if name in _VALUE_FIELDS and "properties" in sub
    }
    for name in schema.get("required", ()):  # written even when it is nil
        if fields[name].get("type") == "array" and name not in _OMITTED:
            filled[name] = None
    return filled


def without_managed_fields(obj: JsonObject) -> JsonObject:
    meta = {name: item for name, item in obj.get("metadata", {}).items() if name != "managedFields"}
    return {**obj, "metadata": meta}
