"""Merging a partial value into a whole one, and taking fields out of it
(structured-merge-diff `typed.Merge` and `RemoveItems`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pawl.local.patch.fieldset import FieldSet, field_element
from pawl.local.patch.typed import (
    ABSENT,
    DEDUCED,
    Schema,
    element_of,
    field_schema,
    item_schema,
    shape,
)


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
