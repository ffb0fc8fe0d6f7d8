"""Strategic merge patch (k8s.io/apimachinery/pkg/util/strategicpatch), for built-in kinds.

Lists with x-kubernetes-patch-strategy `merge` merge by x-kubernetes-patch-merge-key (or as sets of
scalars), others are replaced. Directives: `$patch: replace|delete|merge`, `$retainKeys`,
`$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`.
"""

from __future__ import annotations

import copy
from typing import Any

from pawl.local.patch.errors import malformed, unforeseen
from pawl.local.schema import golang
from pawl.local.schema.prune import additional

Schema = dict[str, Any]
JsonObject = dict[str, Any]
_PATCH, _RETAIN = "$patch", "$retainKeys"
_DELETE_PREFIX, _ORDER_PREFIX = "$deleteFromPrimitiveList/", "$setElementOrder/"
_DROP = object()  # a value that was nothing but a directive


def strategic(obj: JsonObject, patch: Any, schema: Schema) -> JsonObject:
    """A new object. `schema` is the kind's, with the patch extensions. PatchError (400) for a
    patch that is malformed, (500) for one
    that lacks a merge key or names an unknown directive."""
    if not isinstance(patch, dict):
        raise malformed(
            f"json: cannot unmarshal {golang.json_kind(patch)} into Go value "
            "of type map[string]interface {}"
        )
    return _merge_map(copy.deepcopy(obj), copy.deepcopy(patch), schema)


def _merge_map(original: JsonObject, patch: JsonObject, schema: Schema) -> JsonObject:
    directive = patch.get(_PATCH)
    if directive == "replace":
        del patch[_PATCH]
        return patch
    if directive == "delete":
        return {}
    if _PATCH in patch:
        raise unforeseen(f"unknown patch type: {directive} in map: {golang.plain(patch)}")
    _retain_keys(original, patch)
    _ordered_lists(original, patch, schema)
    for name, value in patch.items():
        if name.startswith(_DELETE_PREFIX):
            _delete_scalars(original, name.removeprefix(_DELETE_PREFIX), value)
        elif value is None:
            original.pop(name, None)
        else:
            _merge_field(original, name, value, _field(schema, name))
    return original


def _merge_field(original: JsonObject, name: str, value: Any, schema: Schema) -> None:
    before = original.get(name)
    merged: Any
    if isinstance(before, dict) and isinstance(value, dict):
        merged = value if "replace" in _strategies(schema) else _merge_map(before, value, schema)
    elif isinstance(before, list) and isinstance(value, list):
        merged = _merge_list(before, value, schema)
    else:
        merged = _clean(value)
    if merged is _DROP:
        original.pop(name, None)
    else:
        original[name] = merged


def _field(schema: Schema, name: str) -> Schema:
    return schema.get("properties", {}).get(name) or additional(schema) or {}


def _strategies(schema: Schema) -> list[str]:
    return str(schema.get("x-kubernetes-patch-strategy", "")).split(",")


def _merge_key(schema: Schema) -> str:
    return str(schema.get("x-kubernetes-patch-merge-key", ""))


def _clean(value: Any, *, nulls: bool = False) -> Any:
    """What a patch value adds where there was nothing: without nulls (kept with `nulls`), and
    without the maps that carry a `$patch`."""
    if isinstance(value, dict):
        if _PATCH in value:
            return _DROP
        items = ((name, _clean(item, nulls=nulls)) for name, item in value.items()
                 if nulls or item is not None)  # fmt: skip
        return {name: item for name, item in items if item is not _DROP}
    if isinstance(value, list):
        items = (_clean(item, nulls=nulls) for item in value)
        return [item for item in items if item is not _DROP]
    return value


def _retain_keys(original: JsonObject, patch: JsonObject) -> None:
    if _RETAIN not in patch:
        return
    retained = patch.pop(_RETAIN)
    if not isinstance(retained, list) or any(
        value is not None
        and name not in retained
        and not name.startswith((_DELETE_PREFIX, _ORDER_PREFIX))
        for name, value in patch.items()
    ):
        raise malformed("invalid patch format of retainKeys")
    for name in list(original):
        if name not in retained:
            del original[name]


def _delete_scalars(original: JsonObject, name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise malformed("invalid patch format of primitive list")
    if isinstance(original.get(name), list):
        original[name] = [item for item in original[name] if item not in values]


def _merge_list(original: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if "merge" not in _strategies(schema):
        return patch
    merged, changes = _merged_items(original, patch, schema)
    return _ordered(merged, changes, original, _merge_key(schema))


def _require_objects(items: list[Any]) -> None:
    for item in items:
        if not isinstance(item, dict):
            raise malformed(f"{golang.plain(item)} is no object in a list of objects")


def _merged_items(
    original: list[Any], patch: list[Any], schema: Schema
) -> tuple[list[Any], list[Any]]:
    """The items of both lists, unordered, and the patch without its directives."""
    if not any(isinstance(item, dict) for item in original + patch):
        return list({golang.to_json(item): item for item in original + patch}.values()), patch
    key = _merge_key(schema)
    if not key:
        raise unforeseen(f"cannot merge lists without merge key for {golang.plain(schema)}")
    merged = list(original)
    changes: list[Any] = []
    replace = False
    _require_objects(patch)
    for item in patch:
        directive = item.get(_PATCH)
        if directive == "delete":
            wanted = _key_of(item, key)
            merged = [other for other in merged if other.get(key) != wanted]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise unforeseen("merging lists cannot yet be specified in the patch")
        elif directive is not None:
            raise unforeseen(f"unknown patch type: {directive} in map: {golang.plain(item)}")
        else:
            changes.append(item)
    if replace:
        return changes, []
    for item in changes:
        wanted = _key_of(item, key)
        at = next((at for at, other in enumerate(merged) if other.get(key) == wanted), None)
        if at is None:
            merged.append(item)  # as it is, directives and all: decoding finds them unknown
        else:
            merged[at] = _merge_map(merged[at], item, schema.get("items", {}))
    return merged, changes


def _key_of(item: JsonObject, key: str) -> Any:
    if key not in item:
        text = golang.plain(item)
        raise unforeseen(f"map: {text} does not contain declared merge key: {key}")
    return item[key]


def _ordered_lists(original: JsonObject, patch: JsonObject, schema: Schema) -> None:
    """Lists with a $setElementOrder directive are merged and ordered here, and taken out of the
    patch."""
    for directive in [name for name in patch if name.startswith(_ORDER_PREFIX)]:
        order = patch.pop(directive)
        name = directive.removeprefix(_ORDER_PREFIX)
        changes = patch.get(name) or []
        if not isinstance(order, list) or not isinstance(changes, list):
            raise malformed("invalid patch format of setElementOrder list")
        sub = _field(schema, name)
        key = _merge_key(sub)
        _check_order(changes, order, key)
        before = original.get(name)
        if name in patch and before is not None:
            merged, _ = _merged_items(before, patch.pop(name), sub)
        elif name in patch:
            merged = _clean(patch.pop(name), nulls=True)
        elif before is not None:
            merged = before
        else:
            continue
        original[name] = _ordered(merged, order, before or [], key)


def _check_order(changes: list[Any], order: list[Any], key: str) -> None:
    """Items of the patch must come in the order that the directive gives."""
    named = [_identity(item, key) for item in order]
    at = 0
    for item in changes:
        if isinstance(item, dict) and _PATCH in item:
            continue
        if named and _identity(item, key) not in named[at:]:
            raise unforeseen(
                f"The order in patch list:\n{golang.plain(changes)}\n doesn't match "
                f"$setElementOrder list:\n{golang.plain(order)}\n"
            )
        at = named.index(_identity(item, key), at) + 1 if named else 0


def _identity(item: Any, key: str) -> str:
    return golang.to_json(item.get(key) if isinstance(item, dict) else item)


def _ordered(merged: list[Any], order: list[Any], server: list[Any], key: str) -> list[Any]:
    """Items named in `order` in that order; the others in the server's, each before the first
    ordered item that followed it there, else at the end."""
    ranks = {_identity(item, key): at for at, item in reversed(list(enumerate(order)))}
    places: dict[str, int] = {
        _identity(item, key): at for at, item in reversed(list(enumerate(server)))
    }

    def place(item: Any) -> int:
        return places.get(_identity(item, key), -1)

    ordered = sorted(
        (item for item in merged if _identity(item, key) in ranks),
        key=lambda item: ranks[_identity(item, key)],
    )
    others = sorted((item for item in merged if _identity(item, key) not in ranks), key=place)
    result: list[Any] = []
    while others and ordered:
        left, right = place(others[0]), place(ordered[0])
        first = others if left >= 0 and right >= 0 and left < right else ordered
        result.append(first.pop(0))
    return result + ordered + others
