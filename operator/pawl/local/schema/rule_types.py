"""Schemas and JSON values as CEL sees them (apiserver/pkg/cel/common): an object has exactly the
declared fields, under names escaped to identifiers; numbers, times and bytes have their type."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any

from pawl.local.schema.cel import EvaluationError
from pawl.local.schema.cel.celtypes import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
)
from pawl.local.schema.cel.operators import to_timestamp
from pawl.local.schema.cel.values import MapList, SetList, parse_duration
from pawl.local.schema.prune import additional

Schema = dict[str, Any]
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for",
        "function", "if", "import", "let", "loop", "package", "namespace", "return", "var",
        "void", "while",
    }
)  # fmt: skip
# Words that only CEL reserves for later: after a dot they may stand as they are, too.
_SELECTABLE = _RESERVED - {"true", "false", "null", "in"}
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SIMPLE = {"boolean": BOOL, "integer": INT, "number": DOUBLE}
_STRINGS = {
    "byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP,
}  # fmt: skip


def escape(name: str) -> str | None:
    """The identifier for a property (`a-b` is `a__dash__b`); None when there is none."""
    if name in _RESERVED:
        return f"__{name}__"
    if not re.fullmatch(r"[A-Za-z_./-][A-Za-z0-9_./-]*", name):
        return None
    return re.sub(r"__|[-./]", lambda match: _ESCAPES[match[0]], name)


def with_meta(schema: Schema) -> Schema:
    """The root of a resource: apiVersion, kind, metadata.name and metadata.generateName can always
    be read."""
    text = {"type": "string"}
    meta = {"type": "object", "properties": {"name": text, "generateName": text}}
    common = {"apiVersion": text, "kind": text, "metadata": meta}
    return {**schema, "type": "object", "properties": {**schema.get("properties", {}), **common}}


def declared(schema: Schema, path: str = "selfType") -> Type | None:
    """The CEL type of a schema node; None for what CEL does not show (no type, arrays without
    items and so on)."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    kind = schema.get("type")
    if kind == "array":
        item = _child(schema.get("items"), f"{path}.@idx")
        return list_of(item) if item else None
    if kind == "object":
        return _object(schema, path)
    if kind == "string":
        return _STRINGS.get(schema.get("format", ""), STRING)
    return _SIMPLE.get(kind or "")


def _object(schema: Schema, path: str) -> Type | None:
    rest = additional(schema)
    if rest:
        value = _child(rest, f"{path}.@elem")
        return map_of(STRING, value) if value else None
    fields: dict[str, Type] = {}
    for name, sub in schema.get("properties", {}).items():
        escaped = escape(name)
        kind = _child(sub, f"{path}.{name}")
        if escaped and kind:
            fields[escaped] = kind
            if name in _SELECTABLE:
                fields[name] = kind
    return Type(path, fields=fields)


def _child(schema: Schema | None, path: str) -> Type | None:
    if schema is None:
        return None
    embedded = schema.get("x-kubernetes-embedded-resource")
    return declared(with_meta(schema) if embedded else schema, path)


def to_value(value: Any, schema: Schema | None) -> Any:
    """A JSON value as the CEL value of its type."""
    if value is None or schema is None or schema.get("x-kubernetes-int-or-string"):
        return value
    if isinstance(value, dict):
        return _to_object(value, schema)
    if isinstance(value, list):
        items = [to_value(item, schema.get("items")) for item in value]
        return keyed_list(items, schema)
    kind = schema.get("type")
    if kind == "string" and isinstance(value, str):
        return _to_string(value, schema.get("format", ""))
    numbers = {"number": float, "integer": int}
    return value if isinstance(value, bool | str) else numbers.get(kind or "", type(value))(value)


def keyed_list(items: list[Any], schema: Schema) -> list[Any]:
    """A list of type set or map compares without order and adds without duplicates."""
    if schema.get("x-kubernetes-list-type") == "set":
        return SetList(items)
    if schema.get("x-kubernetes-list-type") == "map":
        names = schema.get("x-kubernetes-list-map-keys") or []
        return MapList(items, tuple(escape(name) or name for name in names))
    return items


def _to_object(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    rest = additional(schema)
    if rest:
        return {name: to_value(item, rest) for name, item in value.items()}
    if schema.get("x-kubernetes-embedded-resource"):
        schema = with_meta(schema)
    fields = schema.get("properties", {})
    shown = {}
    for name, item in value.items():
        escaped = escape(name)
        if name in fields and escaped and item is not None:  # null is absent to a rule
            shown[escaped] = to_value(item, fields[name])
            if name in _SELECTABLE:
                shown[name] = shown[escaped]
    return shown


def _to_string(text: str, format_name: str) -> Any:
    try:
        if format_name == "byte":
            return base64.b64decode(text, validate=True)
        if format_name == "duration":
            return parse_duration(text)
        if format_name == "date":
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if format_name == "date-time":
            return to_timestamp(text)
    except (ValueError, binascii.Error, EvaluationError):
        return text  # the format itself is complained about by validation
    return text
