"""JSON values -> numpy, checked. Every error names the input and the first value that is wrong.

JSON has one kind of number: it is read at full (double) precision whatever floating datatype the
client declares, because rounding to FP32 first would move rows across a tree's split points.
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.errors import SignatureError
from pawl.serving.protocol import InputTensor, shown

NUMPY_TYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
    "BYTES": np.object_,
}  # fmt: skip
FLOATS = frozenset({"FP16", "FP32", "FP64"})
INTEGERS = frozenset(name for name in NUMPY_TYPES if "INT" in name)
NUMBERS = FLOATS | INTEGERS | {"BOOL"}
_JSON_TYPES: dict[str, frozenset[type]] = {
    **{name: frozenset({float, int, type(None)}) for name in FLOATS},
    **{name: frozenset({int}) for name in INTEGERS},
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
}
_KINDS = {
    **dict.fromkeys(FLOATS, "numbers"),
    **dict.fromkeys(INTEGERS, "whole numbers"),
    "BOOL": "true or false",
    "BYTES": "strings",
}
_FLOAT = {float}


def flat(tensor: InputTensor) -> list[Any]:
    """The values in row-major order; as many as `shape` says."""
    data = tensor.data
    if data and type(data[0]) is list:
        data = _unnested(tensor, data, tensor.shape)
    if len(data) != (count := prod(tensor.shape)):
        raise SignatureError(
            f"{tensor.name}: shape {tensor.shape} has {count} values, data has {len(data)}",
            field=tensor.name,
        )
    return data


def _unnested(tensor: InputTensor, data: list[Any], shape: list[int]) -> list[Any]:
    if len(data) != shape[0]:
        raise SignatureError(
            f"{tensor.name}: data is nested otherwise than shape {tensor.shape} says",
            field=tensor.name,
        )
    if len(shape) == 1:
        return data
    for part in data:
        if type(part) is not list:
            raise SignatureError(
                f"{tensor.name}: data is nested otherwise than shape {tensor.shape} says",
                field=tensor.name,
            )
    return list(chain.from_iterable(_unnested(tensor, part, shape[1:]) for part in data))


def numbers(tensor: InputTensor) -> NDArray[np.float64]:
    """Any numeric tensor as flat doubles; null is NaN."""
    values = flat(tensor)
    kinds = set(map(type, values))
    if kinds != _FLOAT:
        check_kinds(tensor, values, kinds, nullable=True)
    array = np.array(values, dtype=np.float64)
    if tensor.datatype in INTEGERS:
        _check_range(tensor, array)
    return array


def strings(tensor: InputTensor) -> list[str]:
    """A BYTES tensor as flat strings; null is ""."""
    values = flat(tensor)
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    check_kinds(tensor, values, kinds, nullable=True)
    return ["" if value is None else value for value in values]


def exact(tensor: InputTensor, datatype: str) -> NDArray[Any]:
    """A tensor as exactly the numpy type of `datatype`, shaped."""
    values = flat(tensor)
    check_kinds(tensor._replace(datatype=datatype), values, set(map(type, values)), nullable=False)
    try:
        with np.errstate(over="raise"):
            array = np.array(values, dtype=NUMPY_TYPES[datatype])
    except (OverflowError, FloatingPointError):
        raise SignatureError(
            f"{tensor.name}: a value does not fit {datatype}", field=tensor.name
        ) from None
    return array.reshape(tensor.shape)


def check_kinds(
    tensor: InputTensor, values: list[Any], kinds: set[type], *, nullable: bool
) -> None:
    """SignatureError when a value is not of the JSON type that the declared datatype has."""
    allowed = _JSON_TYPES[tensor.datatype]
    if nullable:
        allowed = allowed | {type(None)}
    if kinds <= allowed:
        return
    index = next(i for i, value in enumerate(values) if type(value) not in allowed)
    raise SignatureError(
        f"{tensor.name}: {tensor.datatype} holds {_KINDS[tensor.datatype]}, "
        f"data[{index}] is {shown(values[index])}",
        field=tensor.name,
    )


def _check_range(tensor: InputTensor, array: NDArray[np.float64]) -> None:
    limits = np.iinfo(NUMPY_TYPES[tensor.datatype])
    outside = (array < limits.min) | (array > limits.max)
    if outside.any():
        index = int(np.argmax(outside))
        raise SignatureError(
            f"{tensor.name}: data[{index}] is {array[index]:.0f}, which does not fit "
            f"{tensor.datatype}",
            field=tensor.name,
        )
