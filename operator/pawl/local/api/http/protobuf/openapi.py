"""/openapi/v2 as protobuf, the one form in which kubectl asks for it (to validate a v1 List).

Definitions only, and of them what clients read: types, references, required fields, extensions.
Source: google/gnostic openapiv2/OpenAPIv2.proto; extensions, defaults and enums are YAML there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from pawl.local.api.http.protobuf.wire import BYTES, VARINT

Obj = dict[str, Any]

_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4}


def encode(document: bytes) -> bytes:
    """An OpenAPI v2 document from its JSON."""
    read = orjson.loads(document)
    info = _text(1, read["info"]["title"]) + _text(2, read["info"]["version"])
    definitions = b"".join(_named(read["definitions"], _schema))
    return _text(1, read["swagger"]) + _message(2, info) + _message(9, definitions)


def _schema(schema: Obj) -> bytes:
    return b"".join(_fields(schema))


def _fields(schema: Obj) -> Iterator[bytes]:
    for key, number in _TEXTS.items():
        if key in schema:
            yield _text(number, schema[key])
    if "default" in schema:
        yield _message(5, _any(schema["default"]))
    yield from (_text(19, name) for name in schema.get("required", ()))
    yield from (_message(20, _any(value)) for value in schema.get("enum", ()))
    more = schema.get("additionalProperties")
    if isinstance(more, bool):
        yield _message(21, _varint(2 << 3 | VARINT) + _varint(more))
    elif more is not None:
        yield _message(21, _message(1, _schema(more)))
    if "type" in schema:
        yield _message(22, _text(1, schema["type"]))
    if "items" in schema:
        yield _message(23, _message(1, _schema(schema["items"])))
    yield from (_message(24, _schema(part)) for part in schema.get("allOf", ()))
    if "properties" in schema:
        yield _message(25, b"".join(_named(schema["properties"], _schema)))
    extensions = {key: value for key, value in schema.items() if key.startswith("x-")}
    yield from _named(extensions, _any, number=31)


def _named(
    values: Mapping[str, Any], encoded: Callable[[Any], bytes], number: int = 1
) -> Iterator[bytes]:
    """A map, as messages of a name and a value."""
    for name, value in values.items():
        yield _message(number, _text(1, name) + _message(2, encoded(value)))


def _any(value: Any) -> bytes:
    return _message(2, orjson.dumps(value))  # JSON is YAML


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
