"""Values seen through a schema, as structured-merge-diff sees them (`typed`): which parts are
leaves (scalars, atomic lists and maps) and which are granular.

`schema` is a structural schema or a resolved built-in definition. Where it says nothing the type
is deduced from the value: maps are granular, lists atomic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pawl.local.patch.errors import PatchError
from pawl.local.patch.fieldset import (
    FieldSet,
    Path,
    field_element,
    key_element,
    show_element,
    value_element,
)
from pawl.local.schema import golang

Schema = dict[str, Any]
DEDUCED: Schema = {"x-pawl-deduced": True}
ABSENT: Any = type("Absent", (), {"__repr__": lambda _self: "ABSENT"})()


class TypedError(PatchError):
    """The value does not fit its schema, so fields cannot be told apart (500, as there)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=500)


def shape(schema: Schema, value: Any) -> str:
    """`map` or `list` for what is looked into, `leaf` for what is taken as a whole."""
    if isinstance(value, dict):
        granular = schema.get("x-kubernetes-map-type") != "atomic"
        return "map" if granular and schema.get("type") in (None, "object") else "leaf"
    if isinstance(value, list):
        granular = schema.get("x-kubernetes-list-type") in ("map", "set")
        return "list" if granular and schema.get("type") in (None, "array") else "leaf"
    return "leaf"


def field_schema(schema: Schema, name: str) -> Schema | None:
    """The schema of a field or map entry; None when the schema does not declare it."""
    properties = schema.get("properties")
    if properties and name in properties:
        declared: Schema = properties[name]
        return declared
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        return rest
    open_ended = rest is True or (rest is None and not properties)
    if open_ended or schema.get("x-kubernetes-preserve-unknown-fields"):
        return DEDUCED
    return None


def item_schema(schema: Schema) -> Schema:
    items: Schema = schema.get("items") or DEDUCED
    return items


def element_of(schema: Schema, item: Any) -> str:
    """The path element of an item of an associative list. ValueError when it has none."""
    if schema.get("x-kubernetes-list-type") == "set":
        if isinstance(item, dict | list) or item is None:
            raise ValueError("associative list without keys has an element that's not a scalar")
        return value_element(item)
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    names = schema.get("x-kubernetes-list-map-keys") or []
    properties = item_schema(schema).get("properties", {})
    keys = {}
    for name in names:
        filler = properties.get(name, {}).get("default")
        if name in item or filler is not None:
            keys[name] = item.get(name, filler)
    if not keys:
        shown = "[" + " ".join(map(golang.quote, names)) + "]"
        raise ValueError(
            f"associative list with keys has an element that omits all key fields {shown} "
            "(and doesn't have default values for any key fields)"
        )
    return key_element(keys)


def entries(schema: Schema, value: Any) -> Iterator[tuple[str, Any, Schema]]:
    """(path element, value, schema) of what is in a granular map or list. Fields that the schema
    does not declare and items without a key are left out."""
    if isinstance(value, dict):
        for name, item in value.items():
            sub = field_schema(schema, name)
            if sub is not None:
                yield field_element(name), item, sub
    else:
        for item in value:
            try:
                yield element_of(schema, item), item, item_schema(schema)
            except ValueError:
                continue


def check(value: Any, schema: Schema, *, where: str = "") -> None:
    """TypedError for undeclared fields, wrong shapes and duplicate list keys."""
    problems = list(_problems(value, schema, where))
    if problems:
        lines = [f"{path}: {text}" if path else text for path, text in problems]
        raise TypedError(lines[0] if len(lines) == 1 else "\n  ".join(["errors:", *lines]))


def _problems(value: Any, schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    kind = _checked_type(schema)
    if value is None:
        return
    if isinstance(value, dict):
        if kind not in (None, "object"):
            yield path, _mismatch(kind, value)
            return
        fields = {name: field_schema(schema, name) for name in value}
        undeclared = next((name for name, sub in fields.items() if sub is None), None)
        if undeclared is not None:  # nothing else is said about this map
            yield f"{path}.{undeclared}", "field not declared in schema"
            return
        for name, sub in fields.items():
            yield from _problems(value[name], sub or DEDUCED, f"{path}.{name}")
    elif isinstance(value, list):
        yield from _list_problems(value, schema, path)
    elif kind in ("object", "array") or not _is_scalar(value, kind):
        yield path, _mismatch(kind, value)


def _checked_type(schema: Schema) -> str | None:
    """Times are strings to OpenAPI and any scalar to structured-merge-diff."""
    kind = schema.get("type")
    return "any scalar" if kind == "string" and schema.get("format") == "date-time" else kind


def _list_problems(value: list[Any], schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    if _checked_type(schema) not in (None, "array"):
        yield path, _mismatch(_checked_type(schema), value)
        return
    associative = shape(schema, value) == "list"
    seen: set[str] = set()
    for at, item in enumerate(value):
        element = f"[{at}]"
        if associative:
            try:
                key = element_of(schema, item)
            except ValueError as error:
                yield path, f"element {at}: {error}"
                return
            element = show_element(key)
            if key in seen:
                yield path, f"duplicate entries for key {element}"
            seen.add(key)
        yield from _problems(item, item_schema(schema), path + element)


def _is_scalar(value: Any, kind: str | None) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return True


def _mismatch(kind: str | None, value: Any) -> str:
    """The words (and the Go values in them) of structured-merge-diff."""
    if kind in ("integer", "number"):
        return f"expected numeric (int or float), got {_GO_TYPES[type(value)]}"
    if kind == "string":
        return f"expected string, got &value.valueUnstructured{{Value:{golang.syntax(value)}}}"
    wanted = {"object": "map", "array": "list"}.get(kind or "", kind or "any scalar")
    return f"expected {wanted}, got &{{{golang.plain(value)}}}"


_GO_TYPES = {
    bool: "bool", str: "string", list: "[]interface {}", dict: "map[string]interface {}",
}  # fmt: skip


def to_set(value: Any, schema: Schema) -> FieldSet:
    """Every leaf, every item of a granular list and every entry of a granular map."""
    found = FieldSet()
    _collect(value, schema, (), found)
    return found


def _collect(value: Any, schema: Schema, path: Path, found: FieldSet) -> None:
    if shape(schema, value) == "leaf":
        found.insert(path)
        return
    counts: dict[str, int] = {}
    for element, item, sub in entries(schema, value):
        here = (*path, element)
        counts[element] = counts.get(element, 0) + 1
        if counts[element] > 1:
            continue
        declared = isinstance(value, dict) and element[2:] in schema.get("properties", {})
        if not declared or item is None or item == {}:
            found.insert(here)
        if item is not None:
            _collect(item, sub, here, found)


def with_named_fields(fields: FieldSet, schema: Schema) -> FieldSet:
    """The set, plus every declared field on the way to a member: removing the last member of a
    struct removes the struct."""
    result = FieldSet()
    result.members = set(fields.members)
    properties = schema.get("properties", {})
    for element, child in fields.children.items():
        name = element[2:]
        if element.startswith("f:"):
            if name in properties:
                result.members.add(element)
            sub = field_schema(schema, name) or DEDUCED
        else:
            sub = item_schema(schema)
        result.children[element] = with_named_fields(child, sub)
    return result
