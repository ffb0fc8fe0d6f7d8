"""Keywords that a CRD's schema may use, and how lists and maps may be typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pawl.local.schema import causes
from pawl.local.schema.causes import Cause

Schema = dict[str, Any]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


@dataclass(frozen=True)
class Place:
    """Where in a schema we are."""

    path: str
    root: bool = False
    compile: bool = True  # rules are compiled only in schemas that are fine otherwise
    no_defaults: str = ""  # why defaults are not allowed here
    no_old: str = ""  # the list or map inside which old values cannot be found
    in_meta: bool = False

    def below(self, step: str, **changes: Any) -> Place:
        return replace(self, path=f"{self.path}{step}", root=False, **changes)


def has_unsupported(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(has_unsupported, schema))
    if not isinstance(schema, dict):
        return False
    if any(schema.get(key) for key in _UNSUPPORTED):
        return True
    below = [schema.get(key) for key in ("items", "additionalProperties", "not")]
    below += [schema.get(key) for key in ("allOf", "anyOf", "oneOf")]
    return any(map(has_unsupported, [*below, *schema.get("properties", {}).values()]))


def keywords(schema: Schema, place: Place) -> Iterator[Cause]:
    path, kind = place.path, schema.get("type", "")
    if kind == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        yield causes.forbidden(f"{path}.type", detail)
    if kind and kind not in _TYPES:
        yield causes.not_supported(f"{path}.type", kind, _TYPES)
    if "default" in schema and place.no_defaults:
        yield causes.forbidden(f"{path}.default", f"must not be set {place.no_defaults}")
    for key in _UNSUPPORTED:
        if schema.get(key):
            yield causes.forbidden(f"{path}.{key}", f"{key} is not supported")
    if isinstance(schema.get("items"), list):
        detail = "items must be a schema object and not an array"
        yield causes.forbidden(f"{path}.items", detail)
    if place.in_meta and schema.get("x-kubernetes-embedded-resource"):
        detail = "must not be used inside of resource meta"
        yield causes.forbidden(f"{path}.x-kubernetes-embedded-resource", detail)
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield causes.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("properties") and schema.get("additionalProperties") not in (None, True):
        detail = "additionalProperties and properties are mutual exclusive"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        place_of = f"{path}.x-kubernetes-preserve-unknown-fields"
        yield causes.invalid(place_of, False, "must be true or undefined")


def list_and_map_types(schema: Schema, path: str) -> Iterator[Cause]:
    kind = schema.get("type", "")
    for key, wanted, allowed in (
        ("x-kubernetes-map-type", "object", ("atomic", "granular")),
        ("x-kubernetes-list-type", "array", ("atomic", "map", "set")),
    ):
        value = schema.get(key)
        if value is None:
            continue
        if kind != wanted:
            detail = f"must be {wanted} if {key} is specified"
            at = f"{path}.type"
            yield causes.invalid(at, kind, detail) if kind else causes.required(at, detail)
        if value not in allowed:
            order = allowed if key == "x-kubernetes-map-type" else ("atomic", "set", "map")
            yield causes.not_supported(f"{path}.{key}", value, order)
    items = schema.get("items") if isinstance(schema.get("items"), dict) else None
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        at = f"{path}.x-kubernetes-list-type"
        yield causes.invalid(at, list_type, detail) if list_type else causes.required(at, detail)
    if list_type in ("set", "map") and items and items.get("nullable"):
        detail = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        yield causes.forbidden(f"{path}.items.nullable", detail)
    if list_type == "set" and items:
        yield from _set_items(items, f"{path}.items")
    if list_type == "map":
        yield from _map_keys(schema, items, keys or [], path)


def _set_items(items: Schema, path: str) -> Iterator[Cause]:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        at = f"{path}.x-kubernetes-list-type"
        yield causes.invalid(at, items["x-kubernetes-list-type"], detail)
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        at = f"{path}.x-kubernetes-map-type"
        yield causes.invalid(at, items.get("x-kubernetes-list-type"), detail)


def _map_keys(schema: Schema, items: Schema | None, keys: list[str], path: str) -> Iterator[Cause]:
    at = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield causes.required(at, "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        detail = "must have a schema if x-kubernetes-list-type is map"
        yield causes.required(f"{path}.items", detail)
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield causes.invalid(f"{path}.items.type", items.get("type", ""), detail)
        return
    if len(set(keys)) < len(keys):
        yield causes.invalid(at, keys, "must not contain duplicate entries")
    for key in keys:
        sub = items.get("properties", {}).get(key)
        place = f"{path}.items.properties[{key}]"
        if sub is None:
            yield causes.invalid(at, keys, "entries must all be names of item properties")
            continue
        if sub.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield causes.invalid(f"{place}.type", items.get("type"), detail)
        head = "this property is in x-kubernetes-list-map-keys, so it"
        if key not in items.get("required", ()) and "default" not in sub:
            detail = f"{head} must have a default or be a required property"
            yield causes.required(f"{place}.default", detail)
        if sub.get("nullable"):
            yield causes.forbidden(f"{place}.nullable", f"{head} cannot be nullable")
