"""Layout `tabular`: named columns, fed as one block of numbers and one of categories.

A request gives each column as [n] or [n, 1], or all numeric columns in the order of the signature
as one matrix named `input` [n, k]. Missing is null: NaN for numbers, "" for categories.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.artifacts.records import Signature, Tensor
from pawl.errors import SignatureError
from pawl.serving.codec.base import (
    Column,
    Feed,
    Outputs,
    Predictions,
    Rendered,
    Rows,
    check_wanted,
    column,
)
from pawl.serving.codec.values import FLOATS, NUMBERS, numbers, strings
from pawl.serving.errors import TooLargeError
from pawl.serving.protocol import InferRequest, InputTensor

MATRIX = "input"
_FLOAT = {float}
_LABEL = ("label",)
_PROBABILITY = ("probability", "probabilities")
_PREDICTION = ("prediction",)


class TabularCodec:
    """Made for one signature; see `Codec`."""

    batchable = True

    def __init__(self, signature: Signature, max_rows: int) -> None:
        self._numeric = signature.numeric
        self._categorical = signature.categorical
        self._columns = frozenset(tensor.name for tensor in signature.inputs)
        self._matrix_allowed = bool(self._numeric) and MATRIX not in self._columns
        self._matrix_is_all = self._matrix_allowed and not self._categorical
        self._max_rows = max_rows
        self._outputs = signature.outputs
        self.names = frozenset(tensor.name for tensor in signature.outputs)
        self._classes = list(signature.classes)
        self._threshold = signature.threshold
        if signature.task == "binary" and self._threshold is None:
            self._threshold = 0.5
        self._check(signature)
        self.wanted: Sequence[str] = (self._source(signature),)

    def _source(self, signature: Signature) -> str:
        """The one output of the model that all answers are made from."""
        if not self._classes:
            return "prediction"
        scored = any(output.name in _PROBABILITY for output in signature.outputs)
        return "probabilities" if scored or self._threshold is not None else "label"

    def _check(self, signature: Signature) -> None:
        if set(self._numeric) | set(self._categorical) != self._columns:
            raise ValueError("signature: numeric and categorical must name the inputs")
        known = _LABEL + _PROBABILITY if self._classes else _PREDICTION
        for output in signature.outputs:
            if output.name not in known:
                raise ValueError(f"signature: output {output.name!r} is not one of {known}")
        if self._threshold is not None and len(self._classes) != 2:
            raise ValueError("signature: a threshold needs exactly two classes")

    def decode(self, request: InferRequest) -> Rows:
        inputs = request.inputs
        if request.outputs is not None:
            check_wanted(request, self.names)
        if len(inputs) == 1 and inputs[0].name == MATRIX and self._matrix_is_all:
            block = self._matrix(inputs[0])
            return Rows({"numeric": block}, len(block))
        return self._by_column(inputs)

    def _by_column(self, inputs: list[InputTensor]) -> Rows:
        given = self._given(inputs)
        matrix = given.pop(MATRIX, None) if self._matrix_allowed else None
        feed: Feed = {}
        count = self._count(matrix or next(iter(given.values())))
        if matrix is not None:
            feed["numeric"] = self._matrix(matrix)
        elif self._numeric:
            feed["numeric"] = self._block([given[name] for name in self._numeric], count)
        if self._categorical:
            table = np.empty((count, len(self._categorical)), dtype=object)
            for index, name in enumerate(self._categorical):
                table[:, index] = self._strings(given[name], count)
            feed["categorical"] = table
        return Rows(feed, count)

    def _given(self, inputs: list[InputTensor]) -> dict[str, InputTensor]:
        given = {tensor.name: tensor for tensor in inputs}
        if len(given) < len(inputs):
            names = [tensor.name for tensor in inputs]
            twice = next(name for name in names if names.count(name) > 1)
            raise SignatureError(f"{twice}: is given twice", field=twice)
        needed = self._columns
        if self._matrix_allowed and MATRIX in given:
            needed = frozenset({*self._categorical, MATRIX})
        if given.keys() != needed:
            for name in given:
                if name not in needed:
                    why = (
                        f"is also in {MATRIX}"
                        if name in self._columns
                        else "is no input of the model"
                    )
                    raise SignatureError(f"{name[:80]}: {why}", field=name)
            missing = sorted(needed - given.keys())
            raise SignatureError(
                f"{missing[0]}: is missing (so are {len(missing) - 1} others)"
                if len(missing) > 1
                else f"{missing[0]}: is missing",
                field=missing[0],
            )
        return given

    def _count(self, tensor: InputTensor) -> int:
        count = tensor.shape[0]
        if count > self._max_rows:
            raise TooLargeError(
                f"{count} rows in one request; this server takes at most {self._max_rows}"
            )
        if count == 0:
            raise SignatureError(f"{tensor.name}: has no rows", field=tensor.name)
        return count

    def _matrix(self, tensor: InputTensor) -> NDArray[np.float64]:
        width = len(self._numeric)
        shape = tensor.shape
        if len(shape) != 2 or shape[1] != width:
            raise SignatureError(
                f"{tensor.name}: expected shape [n, {width}] (the numeric columns in the order of "
                f"the signature), got {shape}",
                field=tensor.name,
            )
        _expect_numbers(tensor)
        self._count(tensor)
        return numbers(tensor).reshape(shape)

    def _block(self, tensors: list[InputTensor], count: int) -> NDArray[np.float64]:
        """Numeric columns side by side [count, k]."""
        values: list[Any] = []
        plain = [count]
        for tensor in tensors:
            if tensor.datatype in FLOATS and tensor.shape == plain and len(tensor.data) == count:
                values += tensor.data
            else:
                break
        # One conversion for all columns, where nothing needs a closer look.
        if len(values) == count * len(tensors) and set(map(type, values)) == _FLOAT:
            block = np.array(values, dtype=np.float64).reshape(len(tensors), count)
            return np.ascontiguousarray(block.T)
        for tensor in tensors:
            _expect_column(tensor, count)
            _expect_numbers(tensor)
        return np.column_stack([numbers(tensor) for tensor in tensors])

    def _strings(self, tensor: InputTensor, count: int) -> list[str]:
        _expect_column(tensor, count)
        if tensor.datatype != "BYTES":
            raise SignatureError(
                f"{tensor.name}: expected datatype BYTES (strings), got {tensor.datatype}",
                field=tensor.name,
            )
        return strings(tensor)

    def render(self, outputs: Outputs, count: int) -> Rendered:
        (source,) = self.wanted
        if source == "probabilities":
            return self._classification(outputs[source], count)
        values = outputs[source].reshape(-1)
        if len(values) != count:
            raise ValueError(f"{count} rows gave {len(values)} predictions")
        data = values.tolist()
        bad = count - int(np.isfinite(values).sum()) if values.dtype.kind == "f" else 0
        said = Predictions(None, data) if self._classes else Predictions(data)
        return Rendered([_column(tensor, data, 1) for tensor in self._outputs], bad, said)

    def _classification(self, probabilities: NDArray[Any], count: int) -> Rendered:
        width = len(self._classes)
        if probabilities.shape != (count, width):
            raise ValueError(
                f"{count} rows of {width} classes gave probabilities {probabilities.shape}"
            )
        data = probabilities.ravel().tolist()
        finite = math.isfinite(sum(data))
        labels = self._labels(probabilities, data)
        bad = 0
        if not finite:
            rows = np.isfinite(probabilities).all(axis=1).tolist()
            bad = rows.count(False)
            labels = [label if ok else None for label, ok in zip(labels, rows, strict=True)]
        said = Predictions(data, labels, width)
        if self._threshold is not None:
            said = Predictions(data[1::2], labels)
        columns = []
        for tensor in self._outputs:
            if tensor.name in _LABEL:
                columns.append(_column(tensor, labels, 1))
            elif len(tensor.shape) == 1:
                columns.append(_column(tensor, data[1::2], 1))
            else:
                columns.append(_column(tensor, data, width))
        return Rendered(columns, bad, said)

    def _labels(self, probabilities: NDArray[Any], data: list[float]) -> list[Any]:
        classes = self._classes
        if self._threshold is None:
            return [classes[index] for index in probabilities.argmax(axis=1).tolist()]
        low, high = classes
        threshold = self._threshold
        return [high if score >= threshold else low for score in data[1::2]]

    def example(self, count: int) -> Feed:
        feed: Feed = {}
        if self._numeric:
            feed["numeric"] = np.zeros((count, len(self._numeric)))
        if self._categorical:
            feed["categorical"] = np.full((count, len(self._categorical)), "", dtype=object)
        return feed


def _expect_column(tensor: InputTensor, count: int) -> None:
    shape = tensor.shape
    if shape[0] != count or not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise SignatureError(
            f"{tensor.name}: expected shape [{count}] or [{count}, 1], got {shape}",
            field=tensor.name,
        )


def _expect_numbers(tensor: InputTensor) -> None:
    if tensor.datatype not in NUMBERS:
        raise SignatureError(
            f"{tensor.name}: expected a numeric datatype, got {tensor.datatype}", field=tensor.name
        )


def _column(tensor: Tensor, data: list[Any], width: int) -> Column:
    tail = (width,) if len(tensor.shape) == 2 else ()
    return column(tensor.name, tensor.datatype, tail, width, data)
