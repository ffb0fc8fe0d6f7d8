"""x-kubernetes-list-type set and map: no two items alike, no two items with the same keys."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import causes, golang
from pawl.local.schema.causes import Cause
from pawl.local.schema.prune import additional

Schema = dict[str, Any]


def duplicate_items(value: Any, schema: Schema | None, path: str = "") -> list[Cause]:
    """A Duplicate cause for the first repetition of each item of a set or key of a map."""
    if schema is None:
        return []
    if isinstance(value, list):
        found = _duplicates(value, schema, path)
        for at, item in enumerate(value):
            found += duplicate_items(item, schema.get("items"), causes.index(path, at))
        return found
    if not isinstance(value, dict):
        return []
    found = []
    rest = additional(schema)
    properties = schema.get("properties", {})
    for name, item in value.items():
        if name in properties:
            found += duplicate_items(item, properties[name], causes.child(path, name))
        elif rest is not None:
            found += duplicate_items(item, rest, causes.key(path, name))
    return found


def _duplicates(items: list[Any], schema: Schema, path: str) -> list[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        repeated = _second_appearances([_identity(item) for item in items])
        return [causes.duplicate(causes.index(path, at), items[at]) for at in repeated]
    if kind != "map":
        return []
    for at, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            detail = "must be an object for an array of list-type map"
            return [causes.invalid(causes.index(path, at), item, detail)]
    names = schema.get("x-kubernetes-list-map-keys", [])
    keys = [{name: item[name] for name in names if name in (item or {})} for item in items]
    repeated = _second_appearances([_identity(key) for key in keys])
    return [causes.duplicate(causes.index(path, at), keys[at]) for at in repeated]


def _identity(value: Any) -> str:
    return golang.to_json(value)


def _second_appearances(identities: list[str]) -> list[int]:
    seen: dict[str, int] = {}
    repeated = []
    for at, identity in enumerate(identities):
        seen[identity] = seen.get(identity, 0) + 1
        if seen[identity] == 2:
            repeated.append(at)
    return repeated
