"""Values seen through a schema, as structured-merge-diff sees them (`typed`): which parts are
leaves (scalars, atomic lists and maps) and which are granular.

`schema` is a structural schema or a resolved built-in definition. Where it says nothing the type
is deduced from the value: maps are granular, lists atomic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
    kind = schema.get("type")
    if value is None:
        return
    if isinstance(value, dict):
        if kind not in (None, "object"):
            yield path, _mismatch(kind, value)
            return
        for name, item in value.items():
            sub = field_schema(schema, name)
            if sub is None:
                yield f"{path}.{name}", "field not declared in schema"
            else:
                yield from _problems(item, sub, f"{path}.{name}")
    elif isinstance(value, list):
        yield from _list_problems(value, schema, path)
    elif kind in ("object", "array") or not _is_scalar(value, kind):
        yield path, _mismatch(kind, value)


def _list_problems(value: list[Any], schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    if schema.get("type") not in (None, "array"):
        yield path, _mismatch(schema.get("type"), value)
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
    shown = golang.plain(value)
    wanted = {"object": "map", "array": "list"}.get(kind or "", kind or "any scalar")
    if wanted in ("integer", "number"):
        go_type = {bool: "bool", str: "string", list: "[]interface {}"}
        name = go_type.get(type(value), "map[string]interface {}")
        return f"expected numeric (int or float), got {name}"
    if isinstance(value, str):
        shown = f"&value.valueUnstructured{{Value:{golang.quote(value)}}}"
        return f"expected {wanted}, got {shown}"
    return f"expected {wanted}, got {shown}"


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


@dataclass
class Comparison:
    """What the right-hand side did to the left. No path is in more than one of the sets."""

    removed: FieldSet = field(default_factory=FieldSet)
    modified: FieldSet = field(default_factory=FieldSet)
    added: FieldSet = field(default_factory=FieldSet)

    def without_below(self, fields: FieldSet) -> Comparison:
        return Comparison(
            self.removed.without_below(fields),
            self.modified.without_below(fields),
            self.added.without_below(fields),
        )


def compare(left: Any, right: Any, schema: Schema) -> Comparison:
    result = Comparison()
    _compare(left, right, schema, (), result)
    return result


def _compare(left: Any, right: Any, schema: Schema, path: Path, result: Comparison) -> None:
    if isinstance(left, dict | list) and left == right:
        return
    sides = [side for side in (left, right) if side is not ABSENT and side is not None]
    kinds = {shape(schema, side) for side in sides}
    if "leaf" in kinds or all(side in ({}, []) for side in sides):
        _compare_leaf(left, right, path, result)
        if len(kinds) <= 1:
            return
    # Of two values of different shape, what is inside the granular one came or went.
    inside = [side if shape(schema, side) != "leaf" else ABSENT for side in (left, right)]
    if len(kinds) == 1:
        _compare_items(left, right, schema, path, result)
    else:
        _compare_items(inside[0], ABSENT, schema, path, result)
        _compare_items(ABSENT, inside[1], schema, path, result)
    if left is ABSENT:
        result.added.insert(path)
    elif right is ABSENT:
        result.removed.insert(path)


def _compare_items(left: Any, right: Any, schema: Schema, path: Path, result: Comparison) -> None:
    before, after = _index(schema, left), _index(schema, right)
    for element in [*before, *(name for name in after if name not in before)]:
        lefts, sub = before.get(element, ([], DEDUCED))
        rights, sub = after.get(element, ([], sub))
        here = (*path, element)
        if len(lefts) <= 1 and len(rights) <= 1:
            one_left, one_right = (side[0] if side else ABSENT for side in (lefts, rights))
            _compare(one_left, one_right, sub, here, result)
        elif len(lefts) > 1 and len(rights) > 1:
            if not golang.same(lefts, rights):
                result.modified.insert(here)
        elif len(lefts) > 1:
            result.removed.insert(here)
            if rights:
                _compare(ABSENT, rights[0], sub, here, result)
        else:
            result.added.insert(here)
            if lefts:
                _compare(lefts[0], ABSENT, sub, here, result)


def _compare_leaf(left: Any, right: Any, path: Path, result: Comparison) -> None:
    if left is ABSENT:
        result.added.insert(path)
    elif right is ABSENT:
        result.removed.insert(path)
    elif not golang.same(left, right):
        result.modified.insert(path)


def _index(schema: Schema, value: Any) -> dict[str, tuple[list[Any], Schema]]:
    """Items by path element; more than one where a list holds duplicates."""
    found: dict[str, tuple[list[Any], Schema]] = {}
    if value is ABSENT or value is None:
        return found
    for element, item, sub in entries(schema, value):
        found.setdefault(element, ([], sub))[0].append(item)
    return found


def merge(left: Any, right: Any, schema: Schema) -> Any:
    """`right` over `left`: nothing is removed, leaves of `right` win. Granular lists are ordered
    like `right`; items that only `left` has keep their place between the shared ones."""
    if right is ABSENT or left is ABSENT or left == right:
        return left if right is ABSENT else right
    if right is None and left and shape(schema, left) != "leaf":
        return left  # a null container adds nothing
    kind = shape(schema, right)
    if left is None or kind != shape(schema, left):
        return right
    if kind == "leaf" or (not left and not right):
        return right
    return _merge_maps(left, right, schema) if kind == "map" else _merge_lists(left, right, schema)


def _merge_maps(left: Schema, right: Schema, schema: Schema) -> Schema:
    merged = dict(left)
    for name, item in right.items():
        sub = field_schema(schema, name) or DEDUCED
        merged[name] = merge(left.get(name, ABSENT), item, sub)
    return merged


def _merge_lists(left: list[Any], right: list[Any], schema: Schema) -> list[Any]:
    ours = [(element_of(schema, item), item) for item in left]
    theirs = [(element_of(schema, item), item) for item in right]
    names = [element for element, _ in ours]
    mine = {element: item for element, item in ours if names.count(element) == 1}
    wanted = dict(theirs)
    shared = [element for element, _ in theirs if element in names]
    merged: list[Any] = []
    done: set[str] = set()

    def take(element: str) -> None:
        """The item of the right side, merged over ours."""
        merged.append(merge(mine.get(element, ABSENT), wanted[element], item_schema(schema)))
        done.add(element)
        if shared and shared[0] == element:
            shared.pop(0)

    at = position = 0
    while at < len(ours) or position < len(theirs):
        mine_next = ours[at][0] if at < len(ours) else None
        right_next = theirs[position][0] if position < len(theirs) else None
        if mine_next is not None and mine_next == right_next:
            take(mine_next)
            at, position = at + 1, position + 1
        elif mine_next is not None and mine_next not in wanted:
            merged.append(ours[at][1])
            at += 1
        elif mine_next is not None and (mine_next in done or (shared and shared[0] != mine_next)):
            at += 1  # the right side has it, at another place
        elif right_next is not None:
            take(right_next)
            position += 1
    return merged


def remove(value: Any, items: FieldSet, schema: Schema) -> Any:
    """The value without the given paths; a granular container that becomes empty is None, unless
    only things inside it were named."""
    kind = shape(schema, value)
    if kind == "leaf" or not value:
        return None if isinstance(value, dict | list) else value
    kept: Any = {} if kind == "map" else []
    touched = False
    for element, item, sub in _all_entries(schema, value):
        if element in items.members:
            continue
        below = items.under(element)
        if below:
            touched = True
            pruned = remove(item, below, sub)
            if pruned is None and isinstance(item, dict | list):
                pruned = type(item)()
            item = pruned  # noqa: PLW2901
        if kind == "map":
            kept[element[2:]] = item
        else:
            kept.append(item)
    return kept if kept or touched else None


def _all_entries(schema: Schema, value: Any) -> Iterator[tuple[str, Any, Schema]]:
    """Like `entries`, with the undeclared fields too."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield field_element(name), item, field_schema(schema, name) or DEDUCED
    else:
        for item in value:
            yield element_of(schema, item), item, item_schema(schema)


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
