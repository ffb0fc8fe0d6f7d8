"""Refuses ONNX files whose weights lie in other files, without the onnx package.

A tensor may say `data_location: EXTERNAL` and name a path, which a runtime would then open: a way
to read files of the host and to dodge the digest. Every such tensor carries an `external_data`
entry with the key "location", so a file without these bytes is clean at once; otherwise the
protobuf is walked (onnx.proto: the field numbers below).
"""

from __future__ import annotations

import mmap
from pathlib import Path

from pawl.errors import IntegrityError

# Message kinds, and which of their length-delimited fields hold which kind.
_TENSOR = "TensorProto"
_FIELDS: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: _TENSOR, 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: _TENSOR,
        6: "GraphProto",
        10: _TENSOR,
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_MAX_DEPTH = 64

Buffer = mmap.mmap | bytes


def refuse_external_data(path: Path) -> None:
    """IntegrityError when a tensor of the model at `path` points to another file."""
    if path.stat().st_size == 0:
        raise IntegrityError(f"{path.name} is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(b"location") < 0:
            return
        try:
            found = _has_external(data, 0, len(data), "ModelProto", 0)
        except (IndexError, ValueError) as error:
            raise IntegrityError(f"{path.name} is not an ONNX file: {error}") from error
    if found:
        raise IntegrityError(f"{path.name} keeps weights in other files; export it as one file")


def _has_external(data: Buffer, start: int, end: int, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    fields = _FIELDS[kind]
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == 2:
            length, at = _varint(data, at, end)
            stop = at + length
            if stop > end:
                raise ValueError("a field is longer than its message")
            if kind == _TENSOR and number == _EXTERNAL_DATA:
                return True
            if number in fields and _has_external(data, at, stop, fields[number], depth + 1):
                return True
            at = stop
        elif wire == 0:
            value, at = _varint(data, at, end)
            if kind == _TENSOR and number == _DATA_LOCATION and value != 0:
                return True
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
    return False


def _varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= end or shift > 63:
            raise ValueError("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
