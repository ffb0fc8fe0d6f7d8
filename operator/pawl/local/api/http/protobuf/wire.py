"""The protobuf wire format: a message's bytes as fields of three kinds."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTH = {FIXED64: 8, FIXED32: 4}
_LARGEST_NUMBER = 2**29 - 1


class WireError(ValueError):
    """Bytes that are no such message. `path`: the field that they belong to."""

    def __init__(self, text: str, path: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text

    def below(self, name: str) -> WireError:
        """The same error, seen from the owner of the field `name`."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return WireError(self.text, f"{name}{joint}{self.path}")


def fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value (an unsigned integer, or the bytes of a length-delimited field)
    of each field in turn. WireError where the bytes are no message."""
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= _LARGEST_NUMBER:
            raise WireError(f"proto: illegal tag {number} (wire type {kind})")
        if kind == VARINT:
            value, at = varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = varint(data, at)
        elif kind in _WIDTH:
            length = _WIDTH[kind]
        else:
            raise WireError(f"proto: illegal wireType {kind}")
        if length > end - at:
            raise WireError("unexpected EOF")
        piece = data[at : at + length]
        at += length
        yield number, kind, piece if kind == BYTES else int.from_bytes(piece, "little")


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The unsigned 64-bit integer at an offset, and the offset after it."""
    value = shift = 0
    for byte in data[at : at + 10]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, at + shift // 7
    if shift < 70 and at + shift // 7 == len(data):
        raise WireError("unexpected EOF")
    raise WireError("proto: integer overflow")


def signed(value: int) -> int:
    """A varint as int64 (negative numbers take ten bytes)."""
    return value - 2**64 if value >= 2**63 else value
