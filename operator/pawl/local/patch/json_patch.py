"""JSON patch, RFC 6902, with the leniency of the library that kube-apiserver uses
(evanphx/json-patch v4): `replace` of a missing key adds it, `copy` of one gives null, negative
indices count from the end. Like the API server, a patch that does not fit says no more than that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from pawl.local.patch.errors import PatchError, malformed, unfitting
from pawl.local.schema import golang

MAX_OPERATIONS = 10_000
_REJECTED = "the server rejected our request due to an error in our request"
Operation = dict[str, Any]
Container = dict[str, Any] | list[Any]


def json_patch(obj: Any, operations: Any) -> Any:
    """A new document, all operations applied. PatchError: 400 not a patch, 413 too many
    operations, 422 an operation that does not fit."""
    if not isinstance(operations, list):
        kind = "object" if isinstance(operations, dict) else golang.json_kind(operations)
        raise malformed(
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    for operation in operations:
        if not isinstance(operation, dict):
            kind = golang.json_kind(operation)
            raise malformed(
                f"error decoding patch: json: cannot unmarshal {kind} into Go value of type "
                "handlers.jsonPatchOp"
            )
        for field in ("op", "path", "from"):
            if not isinstance(operation.get(field, ""), str):
                kind = golang.json_kind(operation[field])
                raise malformed(
                    f"error decoding patch: json: cannot unmarshal {kind} into Go struct field "
                    f"jsonPatchOp.{field} of type string"
                )
    if len(operations) > MAX_OPERATIONS:
        raise PatchError(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, "
            f"got {len(operations)}",
            code=413,
        )
    document = copy.deepcopy(obj)
    for operation in operations:
        run = _OPERATIONS.get(operation.get("op", ""))
        if run is None:
            raise unfitting(_REJECTED)
        document = run(document, operation)
    return document


def _target(document: Any, operation: Operation, name: str = "path") -> tuple[Container, str]:
    """The container that a path leads into, and its last key."""
    path = operation.get(name)
    parts = [part.replace("~1", "/").replace("~0", "~") for part in str(path).split("/")]
    if not isinstance(path, str) or len(parts) < 2:
        raise unfitting(_REJECTED)
    place = document
    for part in parts[1:-1]:
        place = _get(place, part)
    if not isinstance(place, dict | list):
        raise unfitting(_REJECTED)
    return place, parts[-1]


def _get(container: Any, key: str) -> Any:
    """The value; None where an object has no such key (there the library sees no difference)."""
    if isinstance(container, list):
        return container[_index(key, len(container))]
    return container.get(key) if isinstance(container, dict) else None


def _index(key: str, size: int) -> int:
    try:
        at = int(key)
    except ValueError:
        raise unfitting(_REJECTED) from None
    position = at + size if at < 0 else at
    if not 0 <= position < size:
        raise unfitting(_REJECTED)
    return position


def _insert(container: Container, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        size = len(container)
        container.insert(size if key == "-" else _index(key, size + 1), value)


def _delete(container: Container, key: str) -> None:
    if isinstance(container, dict):
        if key not in container:
            raise unfitting(_REJECTED)
        del container[key]
    else:
        del container[_index(key, len(container))]


def _add(document: Any, operation: Operation) -> Any:
    _insert(*_target(document, operation), copy.deepcopy(operation.get("value")))
    return document


def _remove(document: Any, operation: Operation) -> Any:
    _delete(*_target(document, operation))
    return document


def _replace(document: Any, operation: Operation) -> Any:
    value = copy.deepcopy(operation.get("value"))
    if operation.get("path") == "":
        return value
    container, key = _target(document, operation)
    if isinstance(container, dict):
        container[key] = value
    else:
        container[_index(key, len(container))] = value
    return document


def _move(document: Any, operation: Operation) -> Any:
    source = _target(document, operation, "from")
    value = _get(*source)
    _delete(*source)
    _insert(*_target(document, operation), value)
    return document


def _copy(document: Any, operation: Operation) -> Any:
    value = copy.deepcopy(_get(*_target(document, operation, "from")))
    _insert(*_target(document, operation), value)
    return document


def _test(document: Any, operation: Operation) -> Any:
    whole = operation.get("path") == ""
    actual = document if whole else _get(*_target(document, operation))
    if golang.to_json(actual) != golang.to_json(operation.get("value")):
        raise unfitting(_REJECTED)
    return document


_OPERATIONS: dict[str, Callable[[Any, Operation], Any]] = {
    "add": _add, "remove": _remove, "replace": _replace,
    "move": _move, "copy": _copy, "test": _test,
}  # fmt: skip
