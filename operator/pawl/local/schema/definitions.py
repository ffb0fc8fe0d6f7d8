"""The OpenAPI definitions of one Kubernetes version, from the `kubernetes-validate` package.

Loaded on first use (about 30 ms and 10 MB). `resolve` gives a definition in the form of a
structural schema: `$ref`s replaced by the (shared) thing they name, `null` types dropped, so that
built-in kinds and CRDs are read by the same code. Resolved schemas may be cyclic (JSONSchemaProps)
and must not be changed.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import orjson

Schema = dict[str, Any]
GVK = tuple[str, str, str]
KUBERNETES_VERSION = "1.36"

_API = "io.k8s.api."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
# What OpenAPI says less well than the Go type: these unmarshal themselves.
_SPECIAL: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "x-kubernetes-int-or-string": True, "format": "int-or-string",
    },
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"format": "quantity"},
    "io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "object", **_ANYTHING},
    f"{_META}FieldsV1": {"type": "object", **_ANYTHING},
    f"{_META}Patch": {"type": "object", **_ANYTHING},
}  # fmt: skip
# Keys of list maps that the API defaults before anything else sees them (`+default` in the Go
# types; the package's data leave defaults out).
_KEY_DEFAULTS = {
    (f"{_API}core.v1.ContainerPort", "protocol"): "TCP",
    (f"{_API}core.v1.ServicePort", "protocol"): "TCP",
}


@cache
def raw() -> dict[str, Schema]:
    """All definitions as the package has them, by name (`io.k8s.api.apps.v1.Deployment`)."""
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    wanted = f"v{KUBERNETES_VERSION}."
    versions = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.name.startswith(wanted) and entry.name.endswith("-local")
    )
    data = (folder / versions[-1] / "_definitions.json").read_bytes()
    found: dict[str, Schema] = orjson.loads(data)["$defs"]
    return found


@cache
def names_by_kind() -> dict[GVK, str]:
    """Definition names of the kinds, without those that live in every group (DeleteOptions)."""
    index: dict[GVK, str] = {}
    for name, definition in raw().items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1:
            kind = kinds[0]
            index[(kind["group"], kind["version"], kind["kind"])] = name
    return index


_resolved: dict[str, Schema] = {}
_pending: list[tuple[Schema, Schema]] = []  # (node, definition whose keywords it still needs)


def resolve(name: str) -> Schema:
    """A definition with its references followed. `x-go-type` names the Go type."""
    schema = _resolve(name)
    for node, target in reversed(_pending):
        for key, value in target.items():
            node.setdefault(key, value)
    _pending.clear()
    return schema


def _resolve(name: str) -> Schema:
    if name in _resolved:
        return _resolved[name]
    schema: Schema = {}
    _resolved[name] = schema  # before its fields: a definition may contain itself
    source = raw()[name]
    properties = source.get("properties", {})
    schema.update(_node({key: value for key, value in source.items() if key != "properties"}))
    schema["x-go-type"] = go_type(name)
    schema.update(_SPECIAL.get(name, {}))
    if "type" not in schema and name not in _SPECIAL:
        schema.update(_ANYTHING)  # JSON and its relatives
    if properties:
        schema["properties"] = {key: _field(name, key, sub) for key, sub in properties.items()}
    return schema


def go_type(name: str) -> str:
    """`v1.PodSpec` for `io.k8s.api.core.v1.PodSpec`."""
    return ".".join(name.split(".")[-2:])


def _field(owner: str, field: str, source: Schema) -> Schema:
    schema = _node(source)
    if (owner, field) in _KEY_DEFAULTS:
        schema["default"] = _KEY_DEFAULTS[owner, field]
    return schema


def _node(source: Schema) -> Schema:
    """One schema node, references followed. A field's own keywords win over the definition's."""
    own = {key: value for key, value in source.items() if key not in ("$ref", "oneOf", "enum")}
    if isinstance(own.get("type"), list):
        own["type"] = next(kind for kind in own["type"] if kind != "null")
    for key in ("items", "additionalProperties"):
        if isinstance(own.get(key), dict):
            own[key] = _node(own[key])
    if "$ref" in source:
        _pending.append((own, _resolve(source["$ref"].rpartition("/")[2])))
    return own
