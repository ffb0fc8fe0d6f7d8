"""Structural schemas: every field is specified once, with a type, outside of anyOf and its like
(apiextensions-apiserver/pkg/apiserver/schema/validation.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pawl.local.schema import causes, regex
from pawl.local.schema.causes import Cause

Schema = dict[str, Any]
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_FORBIDDEN_NESTED = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}


def structural(schema: Schema, path: str) -> list[Cause]:
    """What keeps a schema from being structural, sorted as the API server sorts it."""
    found = [*_structure(schema, path, "root"), *_completeness(schema, schema, path, path)]
    return sorted(found, key=str)


def _structure(schema: Schema, path: str, level: str) -> Iterator[Cause]:
    kind = schema.get("type", "")
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield causes.required(f"{path}.items", "must be specified")
    if isinstance(schema.get("items"), dict):
        yield from _structure(schema["items"], f"{path}.items", "item")
    for name, sub in schema.get("properties", {}).items():
        yield from _structure(sub, f"{path}.properties[{name}]", "field")
    if "additionalProperties" in schema:
        if level == "root":
            yield causes.forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if isinstance(schema["additionalProperties"], dict):
            below = schema["additionalProperties"]
            yield from _structure(below, f"{path}.additionalProperties", "field")
    yield from _extensions(schema, path)
    yield from _value_validation(schema, path)
    yield from _type(schema, kind, path, level)
    if "metadata" in schema.get("properties", {}):
        yield from _metadata(schema, path, level)


def _extensions(schema: Schema, path: str) -> Iterator[Cause]:
    if not schema.get("x-kubernetes-int-or-string"):
        return
    for key in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
        if schema.get(key):
            detail = "must be false if x-kubernetes-int-or-string is true"
            yield causes.invalid(f"{path}.{key}", True, detail)


def _type(schema: Schema, kind: str, path: str, level: str) -> Iterator[Cause]:
    embedded = schema.get("x-kubernetes-embedded-resource")
    free = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if embedded and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        place = f"{path}.type"
        yield causes.invalid(place, kind, detail) if kind else causes.required(place, detail)
    elif not kind and not free:
        where = {"root": "at the root", "item": "for specified array items",
                 "field": "for specified object fields"}[level]  # fmt: skip
        yield causes.required(f"{path}.type", f"must not be empty {where}")
    if level == "root" and kind and kind != "object":
        yield causes.invalid(f"{path}.type", kind, "must be object at the root")
    if embedded and "additionalProperties" in schema:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    properties = schema.get("properties", {})
    if level == "root" or embedded:
        for name in ("kind", "apiVersion"):
            if name in properties and properties[name].get("type") != "string":
                place = f"{path}.properties[{name}].type"
                yield causes.invalid(place, properties[name].get("type", ""), "must be string")
    if embedded and not schema.get("x-kubernetes-preserve-unknown-fields") and not properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields"
        )
        yield causes.required(f"{path}.properties", detail)


def _metadata(schema: Schema, path: str, level: str) -> Iterator[Cause]:
    meta, place = schema["properties"]["metadata"], f"{path}.properties[metadata]"
    if level != "root" and not schema.get("x-kubernetes-embedded-resource"):
        return
    if meta.get("type") != "object":
        yield causes.invalid(f"{place}.type", meta.get("type", ""), "must be object")
    own = set(meta.get("properties", {})) - {"name", "generateName"}
    others = set(meta) - {"type", "properties", "default"}
    if level == "root" and (own or others):
        yield causes.forbidden(place, "must not specify anything other than name and generateName, "
                               "but metadata is implicitly specified")  # fmt: skip


def _value_validation(schema: Schema, path: str) -> Iterator[Cause]:
    """anyOf, allOf, oneOf and not may only restrict values, not describe structure."""
    for at, sub in enumerate(schema.get("anyOf") or ()):
        if schema["anyOf"] != _INT_OR_STRING:
            yield from _nested(sub, f"{path}.anyOf[{at}]")
    for at, sub in enumerate(schema.get("allOf") or ()):
        place = f"{path}.allOf[{at}]"
        if at == 0 and sub.get("anyOf") == _INT_OR_STRING:
            sub = {key: value for key, value in sub.items() if key != "anyOf"}  # noqa: PLW2901
        yield from _nested(sub, place)
    for at, sub in enumerate(schema.get("oneOf") or ()):
        yield from _nested(sub, f"{path}.oneOf[{at}]")
    if schema.get("not") is not None:
        yield from _nested(schema["not"], f"{path}.not")
    if schema.get("pattern"):
        try:
            regex.compile(schema["pattern"])
        except regex.PatternError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield causes.invalid(f"{path}.pattern", schema["pattern"], detail)


def _nested(schema: Schema, path: str) -> Iterator[Cause]:
    yield from _value_validation(schema, path)
    if isinstance(schema.get("items"), dict):
        yield from _nested(schema["items"], f"{path}.items")
    for name, sub in schema.get("properties", {}).items():
        yield from _nested(sub, f"{path}.properties[{name}]")
    for key, detail in _FORBIDDEN_NESTED.items():
        if schema.get(key) not in (None, False, "", [], {}) or (key == "default" and key in schema):
            yield causes.forbidden(f"{path}.{key}", detail)
    if "metadata" in schema.get("properties", {}):
        detail = "must not be specified in a nested context"
        yield causes.forbidden(f"{path}.properties[metadata]", detail)


def _completeness(
    nested: Schema, spine: Schema | None, path: str, nested_path: str
) -> Iterator[Cause]:
    """What anyOf and its like mention must be specified outside of them."""
    branches = [("not", nested["not"])] if nested.get("not") is not None else []
    for key in ("allOf", "anyOf", "oneOf"):
        branches += [(f"{key}[{at}]", sub) for at, sub in enumerate(nested.get(key) or ())]
    for name, sub in branches:
        yield from _branch_completeness(sub, spine, path, f"{nested_path}.{name}")


def _branch_completeness(
    nested: Schema, spine: Schema | None, path: str, nested_path: str
) -> Iterator[Cause]:
    if spine is None:
        yield causes.required(path, f"because it is defined in {nested_path}")
        return
    yield from _completeness(nested, spine, path, nested_path)
    if isinstance(nested.get("items"), dict):
        below = spine.get("items")
        yield from _branch_completeness(
            nested["items"], below, f"{path}.items", f"{nested_path}.items"
        )
    for name, sub in nested.get("properties", {}).items():
        below = spine.get("properties", {}).get(name)
        step = f".properties[{name}]"
        yield from _branch_completeness(sub, below, path + step, nested_path + step)
