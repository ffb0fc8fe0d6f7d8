"""Decoding into Go structs, as far as a user sees it: the first type error, in Go's words
(`json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`).
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Any

from pawl.api import quantity
from pawl.local.schema import golang

Schema = dict[str, Any]
_INTEGERS = {"int32": 2**31, "int64": 2**63}


class _MismatchError(Exception):
    """The first value that does not fit; `str()` is Go's message."""


def type_error(obj: Any, schema: Schema) -> str | None:
    """Go's message about the first value of a wrong type, or None. Null fits everything."""
    try:
        _check(obj, schema, [], "")
    except _MismatchError as mismatch:
        return str(mismatch)
    return None


def _check(value: Any, schema: Schema, path: list[str], struct: str) -> None:
    if value is None or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    special = _SPECIAL.get(schema.get("format", ""))
    if special:
        special(value, path, struct)
        return
    kind = schema.get("type")
    if kind == "object":
        _object(value, schema, path, struct)
    elif kind == "array":
        if not isinstance(value, list):
            _fail(value, path, struct, go_name(schema))
        for item in value:
            _check(item, schema["items"], path, struct)
    else:
        _scalar(value, schema, path, struct)


def _object(value: Any, schema: Schema, path: list[str], struct: str) -> None:
    if not isinstance(value, dict):
        _fail(value, path, struct, go_name(schema))
    fields = schema.get("properties")
    if fields is not None:
        own = schema.get("x-go-type", "").rpartition(".")[2]
        for name, item in value.items():
            if name in fields:
                _check(item, fields[name], [*path, name], own)
    elif isinstance(schema.get("additionalProperties"), dict):
        for item in value.values():
            _check(item, schema["additionalProperties"], path, struct)


def _scalar(value: Any, schema: Schema, path: list[str], struct: str) -> None:
    kind, wanted = schema.get("type"), go_name(schema)
    if kind == "string":
        fits = isinstance(value, str)
    elif kind == "boolean":
        fits = isinstance(value, bool)
    elif kind == "number":
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, int) and not isinstance(value, bool)
        limit = _INTEGERS[wanted]
        if (fits and not -limit <= value < limit) or isinstance(value, float):
            _fail(value, path, struct, wanted, f"number {value!r}")
    if not fits:
        _fail(value, path, struct, wanted)


def go_name(schema: Schema) -> str:
    """The Go type of a schema node: `int32`, `[]v1.Container`, `map[string]string`."""
    kind = schema.get("type")
    if schema.get("x-go-type"):
        return str(schema["x-go-type"])
    if kind == "array":
        return "[]" + go_name(schema["items"])
    if kind == "object":
        return "map[string]" + go_name(schema.get("additionalProperties") or {"type": "string"})
    if kind == "integer":
        return str(schema.get("format", "int64"))
    if schema.get("format") == "byte":
        return "[]uint8"
    return {"boolean": "bool", "number": "float64"}.get(kind or "", "string")


def _fail(value: Any, path: list[str], struct: str, wanted: str, found: str = "") -> None:
    found = found or golang.json_kind(value)
    place = f"Go struct field {struct}.{'.'.join(path)}" if path else "Go value"
    raise _MismatchError(f"json: cannot unmarshal {found} into {place} of type {wanted}")


def _quantity(value: Any, _path: list[str], _struct: str) -> None:
    text = golang.to_json(value) if not isinstance(value, str) else value
    try:
        quantity.parse(text)
    except ValueError as error:
        raise _MismatchError(str(error)) from None


def _int_or_string(value: Any, path: list[str], struct: str) -> None:
    if isinstance(value, bool | list | dict):
        _fail(value, path, struct, "int32")
    if isinstance(value, float) or (isinstance(value, int) and not -(2**31) <= value < 2**31):
        _fail(value, path, struct, "int32", f"number {value!r}")


_LAYOUT = "2006-01-02T15:04:05Z07:00"
_LAYOUT_PARTS = (
    (r"\d{4}", "2006"), ("-", "-"), (r"\d\d", "01"), ("-", "-"), (r"\d\d", "02"), ("T", "T"),
    (r"\d\d", "15"), (":", ":"), (r"\d\d", "04"), (":", ":"), (r"\d\d(?:[.,]\d+)?", "05"),
    (r"Z|[+-]\d\d:\d\d", "Z07:00"),
)  # fmt: skip


def _time(value: Any, path: list[str], struct: str) -> None:
    if not isinstance(value, str):
        _fail(value, path, struct, "string")
    head = f"parsing time {golang.quote(value)}"
    rest = value
    for pattern, name in _LAYOUT_PARTS:
        match = re.match(pattern, rest, re.ASCII)
        if match is None:
            shown = golang.quote(rest)
            raise _MismatchError(f'{head} as "{_LAYOUT}": cannot parse {shown} as "{name}"')
        rest = rest[match.end() :]
    if rest:
        raise _MismatchError(f"{head}: extra text: {golang.quote(rest)}")
    try:
        datetime.fromisoformat(value.replace(",", "."))
    except ValueError as error:
        part = next((word for word in ("month", "day", "hour", "minute", "second")
                     if word in str(error)), "day")  # fmt: skip
        raise _MismatchError(f"{head}: {part} out of range") from None


def _bytes(value: Any, path: list[str], struct: str) -> None:
    if not isinstance(value, str):
        _fail(value, path, struct, "[]uint8")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        wrong = re.search(r"[^A-Za-z0-9+/]", value)
        at = wrong.start() if wrong else len(value) - len(value) % 4
        raise _MismatchError(f"illegal base64 data at input byte {at}") from None


_SPECIAL = {
    "quantity": _quantity, "int-or-string": _int_or_string, "date-time": _time, "byte": _bytes,
}  # fmt: skip
