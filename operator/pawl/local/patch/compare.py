"""What changed between two typed values (structured-merge-diff `typed.Compare`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pawl.local.patch.fieldset import FieldSet, Path
from pawl.local.patch.typed import ABSENT, DEDUCED, Schema, entries, shape
from pawl.local.schema import golang


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
