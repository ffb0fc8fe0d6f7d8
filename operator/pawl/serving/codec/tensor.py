"""Layout `tensor`: the inputs and outputs are the graph's own (imported ONNX models).

A tensor is batched along axis 0 when every input and output has -1 there; otherwise each request is
scored alone. Whether a batch really keeps rows apart is checked when the model is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

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
from pawl.serving.codec.values import FLOATS, NUMPY_TYPES, exact
from pawl.serving.errors import TooLargeError
from pawl.serving.protocol import InferRequest, InputTensor


class TensorCodec:
    """Made for one signature; see `Codec`."""

    def __init__(self, signature: Signature, max_rows: int) -> None:
        self._inputs = {tensor.name: tensor for tensor in signature.inputs}
        self._outputs = signature.outputs
        self._max_rows = max_rows
        self.names = frozenset(tensor.name for tensor in signature.outputs)
        self.wanted: Sequence[str] = tuple(tensor.name for tensor in signature.outputs)
        every = (*signature.inputs, *signature.outputs)
        self.batchable = all(tensor.shape and tensor.shape[0] == -1 for tensor in every)

    def decode(self, request: InferRequest) -> Rows:
        check_wanted(request, self.names)
        feed: Feed = {}
        for tensor in request.inputs:
            expected = self._inputs.get(tensor.name)
            if expected is None:
                raise SignatureError(
                    f"{tensor.name[:80]}: is no input of the model; it has "
                    f"{', '.join(self._inputs)}",
                    field=tensor.name,
                )
            if tensor.name in feed:
                raise SignatureError(f"{tensor.name}: is given twice", field=tensor.name)
            self._check(tensor, expected)
            feed[tensor.name] = exact(tensor, expected.datatype)
        for name in self._inputs:
            if name not in feed:
                raise SignatureError(f"{name}: is missing", field=name)
        return self._rows(feed)

    def _rows(self, feed: Feed) -> Rows:
        if not self.batchable:
            return Rows(feed, 1)
        counts = {name: array.shape[0] for name, array in feed.items()}
        count = next(iter(counts.values()))
        for name, other in counts.items():
            if other != count:
                raise SignatureError(f"{name}: has {other} rows, others have {count}", field=name)
        if count == 0:
            name = next(iter(counts))
            raise SignatureError(f"{name}: has no rows", field=name)
        return Rows(feed, count, tuple(array.shape[1:] for array in feed.values()))

    def _check(self, tensor: InputTensor, expected: Tensor) -> None:
        if tensor.datatype != expected.datatype and not (
            tensor.datatype in FLOATS and expected.datatype in FLOATS
        ):
            raise SignatureError(
                f"{tensor.name}: expected datatype {expected.datatype}, got {tensor.datatype}",
                field=tensor.name,
            )
        if len(tensor.shape) != len(expected.shape) or any(
            want not in (-1, got) for want, got in zip(expected.shape, tensor.shape, strict=True)
        ):
            raise SignatureError(
                f"{tensor.name}: expected shape {list(expected.shape)} (-1: any), "
                f"got {tensor.shape}",
                field=tensor.name,
            )
        if self.batchable and tensor.shape[0] > self._max_rows:
            raise TooLargeError(
                f"{tensor.shape[0]} rows in one request; this server takes at most {self._max_rows}"
            )

    def render(self, outputs: Outputs, count: int) -> Rendered:
        columns = []
        bad = 0
        for tensor in self._outputs:
            array = outputs[tensor.name]
            if array.dtype.kind == "f":
                bad += array.size - int(np.isfinite(array).sum())
            if self.batchable and (array.ndim == 0 or array.shape[0] != count):
                raise ValueError(f"{count} rows gave {tensor.name} of shape {array.shape}")
            shape = array.shape[1:] if self.batchable else array.shape
            data = array.reshape(-1).tolist()
            columns.append(
                column(tensor.name, tensor.datatype, shape, prod(shape), data, self.batchable)
            )
        return Rendered(columns, bad, self._said(columns))

    def _said(self, columns: list[Column]) -> Predictions:
        """The first output is taken for the prediction when it has one number a row."""
        if not self.batchable or not columns or columns[0].width != 1:
            return Predictions()
        first, datatype = columns[0], self._outputs[0].datatype
        if datatype in FLOATS:
            return Predictions(first.data)
        return Predictions(None, first.data) if datatype != "BYTES" else Predictions()

    def example(self, count: int) -> Feed:
        feed: Feed = {}
        for name, tensor in self._inputs.items():
            shape = [1 if size == -1 else size for size in tensor.shape]
            if self.batchable:
                shape[0] = count
            fill = "" if tensor.datatype == "BYTES" else 0
            feed[name] = np.full(shape, fill, dtype=NUMPY_TYPES[tensor.datatype])
        return feed
