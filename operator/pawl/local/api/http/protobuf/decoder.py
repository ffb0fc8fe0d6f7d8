"""Protobuf bodies (`application/vnd.kubernetes.protobuf`) as the JSON objects they stand for."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from pawl.local.api.http.protobuf import wire
from pawl.local.api.http.protobuf.messages import Field, Message, message
from pawl.local.api.http.protobuf.wire import WireError
from pawl.local.schema import causes, definitions

Obj = dict[str, Any]
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
MAX_DEPTH = 100  # messages within messages
MAX_FIELDS = 200_000  # of one body, about a second's work; 3 MiB would have room for ten times more
_MACHINERY = "io.k8s.apimachinery.pkg."
_WIRE = {"integer": wire.VARINT, "int32": wire.VARINT, "boolean": wire.VARINT,
         "number": wire.FIXED64}  # fmt: skip


class UnknownKindError(LookupError):
    """A kind without a protobuf form here."""


def decode(body: bytes) -> Obj:
    """The object of a body: magic, then runtime.Unknown with the object's bytes. A field number
    that the kind does not have becomes a key `#<number>`, which no kind has either. WireError,
    UnknownKindError."""
    if not body.startswith(MAGIC):
        raise WireError(f"the body does not start with the prefix {MAGIC.hex(' ')}")
    decoder = _Decoder()
    envelope = decoder.message(
        memoryview(body)[len(MAGIC) :], message(f"{_MACHINERY}runtime.Unknown"), {}, 0
    )
    for field, allowed in (("contentEncoding", ("",)), ("contentType", ("", MEDIA_TYPE))):
        if envelope.get(field, "") not in allowed:
            raise WireError(f"{envelope[field]!r} is not supported", field)
    named = envelope.get("typeMeta", {})
    api_version, kind = named.get("apiVersion", ""), named.get("kind", "")
    obj: Obj = {"apiVersion": api_version, "kind": kind}
    raw = memoryview(envelope.get("raw", b""))
    decoder.message(raw, _message_of(api_version, kind), obj, 0)
    return obj


def _message_of(api_version: str, kind: str) -> Message:
    if kind == "DeleteOptions":  # every group has it
        return message(f"{_MACHINERY}apis.meta.v1.{kind}")
    group, _, version = api_version.rpartition("/")
    try:
        return message(definitions.names_by_kind()[group, version, kind])
    except KeyError:
        raise UnknownKindError(f"{api_version}, Kind={kind}") from None


class _Decoder:
    """One body's, whose fields it counts."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def message(self, data: memoryview, kind: Message, into: Obj, depth: int) -> Any:
        """What the bytes say, added to `into` (a message that comes in pieces is merged)."""
        if depth > MAX_DEPTH:
            raise WireError(f"exceeded max depth {MAX_DEPTH}")
        for number, sent_as, value in wire.fields(data):
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MAX_FIELDS} fields")
            field = kind.fields.get(number)
            if field is None:
                into[f"#{number}"] = True
                continue
            try:
                self._set(into, field, sent_as, value, depth)
            except WireError as error:
                raise error.below(self._place(into, field)) if field.name else error from None
        return kind.finish(into) if kind.finish else into

    @staticmethod
    def _place(into: Obj, field: Field) -> str:
        if field.shape != "list":
            return field.name
        return causes.index(field.name, len(into.get(field.name, ())))

    def _set(
        self, into: Obj, field: Field, sent_as: int, value: int | memoryview, depth: int
    ) -> None:
        if field.shape == "inline":
            self._one(field, sent_as, value, depth, into)
        elif field.shape == "list":
            items = self._items(field, sent_as, value, depth)
            into.setdefault(field.name, []).extend(items)
        elif field.shape == "map":
            key, item = self._entry(field, sent_as, value, depth)
            into.setdefault(field.name, {})[key] = item
        else:
            self._single(into, field, sent_as, value, depth)

    def _single(
        self, into: Obj, field: Field, sent_as: int, value: int | memoryview, depth: int
    ) -> None:
        before = into.get(field.name)
        read = self._one(field, sent_as, value, depth, before if isinstance(before, dict) else {})
        unset = not field.keeps_zero and not read if field.scalar else read is None
        if unset:
            into.pop(field.name, None)
        else:
            into[field.name] = read

    def _items(self, field: Field, sent_as: int, value: int | memoryview, depth: int) -> list[Any]:
        """One item, or several numbers that are packed."""
        if not (isinstance(value, memoryview) and _WIRE.get(field.scalar or "") == wire.VARINT):
            return [self._one(field, sent_as, value, depth, {})]
        found, at = [], 0
        while at < len(value):
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MAX_FIELDS} fields")
            number, at = wire.varint(value, at)
            found.append(_scalar(field, wire.VARINT, number))
        return found

    def _entry(
        self, field: Field, sent_as: int, value: int | memoryview, depth: int
    ) -> tuple[str, Any]:
        """A map's entry: a message of key (1, a string) and value (2)."""
        name, item = "", None
        for number, kind, part in wire.fields(_bytes(sent_as, value)):
            self._left -= 1
            if number == 1:
                name = _text(_bytes(kind, part))
            elif number == 2:
                try:
                    item = self._one(field, kind, part, depth, {})
                except WireError as error:
                    raise error.below(f"[{name}]") from None
        if item is None:
            item = self._one(field, wire.BYTES, memoryview(b""), depth, {})
        return name, item

    def _one(
        self, field: Field, sent_as: int, value: int | memoryview, depth: int, into: Obj
    ) -> Any:
        if field.message is None:
            return _scalar(field, sent_as, value)
        below = field.message()
        if below.finish:
            into = {}
        return self.message(_bytes(sent_as, value), below, into, depth + 1)


def _bytes(sent_as: int, value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise WireError(f"proto: wrong wireType = {sent_as}")
    return value


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise WireError("the string is no UTF-8") from None


def _scalar(field: Field, sent_as: int, value: int | memoryview) -> Any:
    if isinstance(value, memoryview) or field.scalar not in _WIRE:
        data = _bytes(sent_as, value)
        match field.scalar:
            case "string":
                return _text(data)
            case "bytes":
                return base64.b64encode(data).decode()
            case "raw":
                return bytes(data)
    elif sent_as == _WIRE[field.scalar]:
        return _number(field.scalar, value)
    raise WireError(f"proto: wrong wireType = {sent_as}")


def _number(scalar: str, value: int) -> int | float | bool:
    if scalar == "boolean":
        return value != 0
    if scalar == "number":
        read: float = struct.unpack("<d", value.to_bytes(8, "little"))[0]
        if not math.isfinite(read):
            raise WireError(f"json: unsupported value: {read}")
        return read
    number = wire.signed(value)
    if scalar == "int32" and not -(2**31) <= number < 2**31:
        raise WireError("proto: integer overflow")
    return number
