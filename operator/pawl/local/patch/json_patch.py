"""JSON patch, RFC 6902, with the messages of the library that kube-apiserver uses
(evanphx/json-patch): clients show them to people."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from pawl.local.patch.errors import PatchError, malformed, unfitting
from pawl.local.schema import golang

MAX_OPERATIONS = 10_000
_MISSING = "missing value"
Operation = dict[str, Any]


class _AccessError(Exception):
    """A key or index that is not there; `str()` is the library's message."""


def json_patch(obj: Any, operations: Any) -> Any:
    """A new document, all operations applied. PatchError: 400 not a patch, 413 too many
    operations, 422 an operation that does not fit."""
    if not isinstance(operations, list) or not all(isinstance(op, dict) for op in operations):
        raise malformed("error decoding patch: json: cannot unmarshal object into Go value of "
                        "type []handlers.jsonPatchOp")  # fmt: skip
    if len(operations) > MAX_OPERATIONS:
        raise PatchError(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, "
            f"got {len(operations)}",
            code=413,
        )
    document = copy.deepcopy(obj)
    for operation in operations:
        kind = operation.get("op", "unknown")
        if kind not in _OPERATIONS:
            raise unfitting(f"Unexpected kind: {kind}")
        document = _OPERATIONS[kind](document, operation)
    return document


def _path(operation: Operation, name: str, failed: str) -> str:
    path = operation.get(name)
    if not isinstance(path, str):
        raise unfitting(f"{failed}: {_MISSING}")
    return path


def _parent(document: Any, path: str) -> tuple[Any, str] | None:
    """The container of a path and its last key; None when a part on the way is missing."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
    if len(parts) < 2:
        return None
    place = document
    for part in parts[1:-1]:
        try:
            place = _get(place, part)
        except _AccessError:
            return None
    return (place, parts[-1]) if isinstance(place, dict | list) else None


def _get(container: Any, key: str) -> Any:
    """The value; None where an object has no such key (there the library sees no difference)."""
    if isinstance(container, list):
        return container[_index(container, key, len(container))]
    return container.get(key) if isinstance(container, dict) else None


def _index(items: list[Any], key: str, limit: int) -> int:
    try:
        at = int(key)
    except ValueError:
        raise _AccessError(f"strconv.Atoi: parsing {golang.quote(key)}: invalid syntax") from None
    position = at + len(items) if at < 0 else at
    if not 0 <= position < limit:
        raise _AccessError(f"Unable to access invalid index: {at}: invalid index referenced")
    return position


def _insert(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        try:
            at = _index(container, key, len(container) + 1)
        except _AccessError as error:
            if "strconv" in str(error):
                raise _AccessError(
                    f"value was not a proper array index: '{key}': {error}"
                ) from None
            raise
        container.insert(at, value)


def _delete(container: Any, key: str) -> None:
    if isinstance(container, dict):
        if key not in container:
            raise _AccessError(f"Unable to remove nonexistent key: {key}: {_MISSING}")
        del container[key]
    else:
        del container[_index(container, key, len(container))]


def _add(document: Any, operation: Operation) -> Any:
    path = _path(operation, "path", "add operation failed to decode path")
    value = copy.deepcopy(operation.get("value"))
    found = _parent(document, path)
    if found is None:
        raise unfitting(f'add operation does not apply: doc is missing path: "{path}": {_MISSING}')
    try:
        _insert(*found, value)
    except _AccessError as error:
        raise unfitting(f"error in add for path: '{path}': {error}") from None
    return document


def _remove(document: Any, operation: Operation) -> Any:
    path = _path(operation, "path", "remove operation failed to decode path")
    found = _parent(document, path)
    if found is None:
        raise unfitting(
            f'remove operation does not apply: doc is missing path: "{path}": {_MISSING}'
        )
    try:
        _delete(*found)
    except _AccessError as error:
        raise unfitting(f"error in remove for path: '{path}': {error}") from None
    return document


def _replace(document: Any, operation: Operation) -> Any:
    path = _path(operation, "path", "replace operation failed to decode path")
    value = copy.deepcopy(operation.get("value"))
    if path == "":
        return value
    found = _parent(document, path)
    if found is None:
        raise unfitting(
            f"replace operation does not apply: doc is missing path: {path}: {_MISSING}"
        )
    container, key = found
    try:
        _get(container, key)
    except _AccessError:
        raise unfitting(
            f"replace operation does not apply: doc is missing key: {path}: {_MISSING}"
        ) from None
    if isinstance(container, dict):
        container[key] = value
    else:
        container[_index(container, key, len(container))] = value
    return document


def _move(document: Any, operation: Operation) -> Any:
    source = _path(operation, "from", "move operation failed to decode from")
    found = _parent(document, source)
    if found is None:
        raise unfitting(
            f"move operation does not apply: doc is missing from path: {source}: {_MISSING}"
        )
    try:
        value = _get(*found)
        _delete(*found)
    except _AccessError as error:
        raise unfitting(f"error in move for path: '{found[1]}': {error}") from None
    return _put(document, operation, "move", value, "error in move for path: '{path}': {error}")


def _copy(document: Any, operation: Operation) -> Any:
    source = _path(operation, "from", "copy operation failed to decode from")
    found = _parent(document, source)
    if found is None:
        raise unfitting(
            f"copy operation does not apply: doc is missing from path: {source}: {_MISSING}"
        )
    try:
        value = copy.deepcopy(_get(*found))
    except _AccessError as error:
        raise unfitting(f"error in copy for from: '{source}': {error}") from None
    return _put(document, operation, "copy", value, "error while adding value during copy: {error}")


def _put(document: Any, operation: Operation, verb: str, value: Any, failed: str) -> Any:
    path = _path(operation, "path", f"{verb} operation failed to decode path")
    found = _parent(document, path)
    if found is None:
        raise unfitting(
            f"{verb} operation does not apply: doc is missing destination path: {path}: {_MISSING}"
        )
    try:
        _insert(*found, value)
    except _AccessError as error:
        raise unfitting(failed.format(path=path, error=error)) from None
    return document


def _test(document: Any, operation: Operation) -> Any:
    path = _path(operation, "path", "test operation failed to decode path")
    actual = document
    if path != "":
        found = _parent(document, path)
        if found is None:
            raise unfitting(f"test operation does not apply: is missing path: {path}: {_MISSING}")
        try:
            actual = _get(*found)
        except _AccessError as error:
            raise unfitting(f"error in test for path: '{path}': {error}") from None
    if golang.to_json(actual) != golang.to_json(operation.get("value")):
        raise unfitting(f"testing value {path} failed: test failed")
    return document


_OPERATIONS: dict[str, Callable[[Any, Operation], Any]] = {
    "add": _add, "remove": _remove, "replace": _replace,
    "move": _move, "copy": _copy, "test": _test,
}  # fmt: skip
