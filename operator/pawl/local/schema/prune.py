"""Pruning and defaulting by a structural schema, as apiextensions does them.

Both change the object in place. prune(prune(x)) = prune(x), default(default(x)) = default(x).
"""

from __future__ import annotations

import copy
from typing import Any

from pawl.local.schema import causes

Schema = dict[str, Any]
META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


def additional(schema: Schema | None) -> Schema | None:
    """The schema of additional properties; {} when anything goes, None when there are none."""
    value = (schema or {}).get("additionalProperties")
    if value is True:
        return {}
    return value if isinstance(value, dict) else None


def prune(obj: dict[str, Any], schema: Schema) -> list[str]:
    """Remove what the schema of a resource does not name; sorted paths of what was removed.
    apiVersion, kind and metadata of the root always stay."""
    removed: list[str] = []
    _prune(obj, {**schema, "x-kubernetes-embedded-resource": True}, "", removed)
    return sorted(removed)


def prune_value(value: Any, schema: Schema) -> None:
    """Remove what the schema does not name from a part of an object."""
    _prune(value, schema, "", [])


def _prune(value: Any, schema: Schema | None, path: str, removed: list[str]) -> None:
    if schema is not None and schema.get("x-kubernetes-preserve-unknown-fields"):
        _prune_known(value, schema, path, removed)
    elif isinstance(value, dict):
        _prune_map(value, schema, path, removed)
    elif isinstance(value, list):
        items = None if schema is None else schema.get("items")
        for at, item in enumerate(value):
            _prune(item, items, causes.index(path, at), removed)


def _prune_map(value: dict[str, Any], schema: Schema | None, path: str, removed: list[str]) -> None:
    properties = {} if schema is None else schema.get("properties", {})
    rest = additional(schema)
    embedded = schema is not None and schema.get("x-kubernetes-embedded-resource")
    for name in list(value):
        if embedded and name in META_FIELDS:
            continue
        if name in properties:
            _prune(value[name], properties[name], causes.child(path, name), removed)
        elif rest is not None:
            _prune(value[name], rest or None, causes.child(path, name), removed)
        else:
            removed.append(causes.child(path, name))
            del value[name]


def _prune_known(value: Any, schema: Schema | None, path: str, removed: list[str]) -> None:
    """Inside x-kubernetes-preserve-unknown-fields: only specified fields are looked into."""
    if schema is None:
        return
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        rest = additional(schema)
        for name, item in value.items():
            if schema.get("x-kubernetes-embedded-resource") and name in META_FIELDS:
                continue
            sub = properties.get(name, rest)
            if sub is not None:
                _prune(item, sub, causes.child(path, name), removed)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            _prune_known(item, schema.get("items"), causes.index(path, at), removed)


def drop_nulls(value: Any, schema: Schema | None) -> None:
    """Remove nulls where the schema is neither nullable nor has a default."""
    if isinstance(value, dict):
        for name in list(value):
            sub = _field(schema, name)
            if _unwanted_null(value[name], sub) and (sub or {}).get("default") is None:
                del value[name]
            else:
                drop_nulls(value[name], sub)
    elif isinstance(value, list):
        for item in value:
            drop_nulls(item, None if schema is None else schema.get("items"))


def default(value: Any, schema: Schema | None) -> None:
    """Fill in defaults. A null where null is not allowed counts as absent."""
    if schema is None:
        return
    if isinstance(value, dict):
        _default_map(value, schema)
    elif isinstance(value, list):
        items = schema.get("items")
        for at, item in enumerate(value):
            if _unwanted_null(item, items):
                value[at] = copy.deepcopy(items.get("default")) if items else None
            default(value[at], items)


def _default_map(value: dict[str, Any], schema: Schema) -> None:
    properties = schema.get("properties", {})
    for name, sub in properties.items():
        filler = sub.get("default")
        if filler is not None and (name not in value or _unwanted_null(value[name], sub)):
            value[name] = copy.deepcopy(filler)
    rest = additional(schema)
    for name, item in value.items():
        sub = properties.get(name, rest)
        if sub is None:
            continue
        if name not in properties and _unwanted_null(item, sub):
            value[name] = copy.deepcopy(sub.get("default"))
        default(value[name], sub)


def _field(schema: Schema | None, name: str) -> Schema | None:
    if schema is None:
        return None
    found = schema.get("properties", {}).get(name)
    return found if found is not None else additional(schema)


def _unwanted_null(value: Any, schema: Schema | None) -> bool:
    return value is None and schema is not None and not schema.get("nullable")
