"""Imported graphs: inputs and outputs by the graph's own names."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from pawl.artifacts.records import Signature, Tensor
from pawl.errors import SignatureError
from pawl.serving.codec import answer, codec_for
from pawl.serving.errors import TooLargeError
from pawl.serving.protocol import InferRequest, InputTensor

BATCHED = Signature(
    layout="tensor",
    inputs=(
        Tensor(name="image", datatype="FP32", shape=(-1, 2, -1)),
        Tensor(name="mask", datatype="BOOL", shape=(-1,)),
    ),
    outputs=(Tensor(name="y", datatype="FP32", shape=(-1, 2)),),
)
FIXED = Signature(
    layout="tensor",
    inputs=(Tensor(name="x", datatype="INT64", shape=(1, 2)),),
    outputs=(Tensor(name="y", datatype="BYTES", shape=(2,)),),
)
IMAGE = InputTensor("image", "FP32", [2, 2, 1], [1, 2, 3, 4])
MASK = InputTensor("mask", "BOOL", [2], [True, False])


def request(*inputs: InputTensor) -> InferRequest:
    return InferRequest(None, list(inputs), None)


def test_tensors_are_fed_by_name_type_and_shape() -> None:
    rows = codec_for(BATCHED, 10).decode(request(MASK, IMAGE))
    assert rows.size == 2
    assert rows.feed["image"].dtype == np.float32
    assert rows.feed["image"].shape == (2, 2, 1)
    assert rows.feed["mask"].tolist() == [True, False]


def test_only_rows_of_equal_shape_share_a_batch() -> None:
    codec = codec_for(BATCHED, 10)
    narrow = codec.decode(request(MASK, IMAGE))
    wide = codec.decode(request(MASK, IMAGE._replace(shape=[2, 2, 2], data=[0] * 8)))
    assert narrow.key == codec.decode(request(MASK, IMAGE)).key
    assert narrow.key != wide.key


def test_a_graph_without_a_batch_axis_is_fed_whole() -> None:
    codec = codec_for(FIXED, 10)
    assert not codec.batchable
    assert codec.decode(request(InputTensor("x", "INT64", [1, 2], [1, 2]))).size == 1
    columns, _, _ = codec.render({"y": np.array(["a", "b"], dtype=object)}, 1)
    assert orjson.loads(answer(columns, 0, 1, None)) == [
        {"name": "y", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
    ]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        pytest.param([IMAGE], "mask", id="missing"),
        pytest.param([IMAGE, MASK, MASK], "mask", id="twice"),
        pytest.param([IMAGE, MASK, MASK._replace(name="z")], "z", id="unknown"),
        pytest.param([IMAGE._replace(datatype="INT32"), MASK], "image", id="datatype"),
        pytest.param([IMAGE._replace(shape=[1, 4, 1]), MASK], "image", id="fixed dimension"),
        pytest.param([IMAGE._replace(shape=[2, 2]), MASK], "image", id="rank"),
        pytest.param([IMAGE, MASK._replace(shape=[1], data=[True])], "mask", id="rows differ"),
        pytest.param(
            [IMAGE._replace(shape=[0, 2, 1], data=[]), MASK._replace(shape=[0], data=[])],
            "image",
            id="no rows",
        ),
    ],
)
def test_what_does_not_fit_is_named(inputs: list[InputTensor], field: str) -> None:
    with pytest.raises(SignatureError) as caught:
        codec_for(BATCHED, 10).decode(request(*inputs))
    assert caught.value.field == field


def test_another_precision_of_floats_is_taken() -> None:
    rows = codec_for(BATCHED, 10).decode(request(MASK, IMAGE._replace(datatype="FP64")))
    assert rows.feed["image"].dtype == np.float32


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(TooLargeError):
        codec_for(BATCHED, 1).decode(request(IMAGE, MASK))


def test_outputs_without_their_rows_are_an_error() -> None:
    codec = codec_for(BATCHED, 10)
    with pytest.raises(ValueError, match="2 rows gave y"):
        codec.render({"y": np.zeros((1, 2), dtype=np.float32)}, 2)


@pytest.mark.parametrize(
    ("datatype", "shape", "given", "values", "labels"),
    [
        pytest.param("FP32", (-1, 1), [[1.5], [2.5]], [1.5, 2.5], None, id="a number a row"),
        pytest.param("INT64", (-1,), [3, 4], None, [3, 4], id="a label a row"),
        pytest.param("BYTES", (-1,), ["a", "b"], None, None, id="text"),
        pytest.param("FP32", (-1, 2), [[1, 2], [3, 4]], None, None, id="several a row"),
    ],
)
def test_the_first_output_is_the_prediction_if_it_can_be(
    datatype: Any, shape: tuple[int, ...], given: Any, values: Any, labels: Any
) -> None:
    outputs = (Tensor(name="y", datatype=datatype, shape=shape),)
    codec = codec_for(BATCHED.model_copy(update={"outputs": outputs}), 10)
    said = codec.render({"y": np.array(given)}, 2).said
    assert (said.values, said.labels) == (values, labels)


def test_values_that_are_not_finite_are_counted() -> None:
    _, non_finite, _ = codec_for(BATCHED, 10).render({"y": np.array([[np.nan, 1], [np.inf, 2]])}, 2)
    assert non_finite == 2


def test_answers_have_the_shape_of_their_tensors() -> None:
    outputs = (Tensor(name='y"', datatype="FP32", shape=(-1, 2, 1)),)
    codec = codec_for(BATCHED.model_copy(update={"outputs": outputs}), 10)
    columns = codec.render({'y"': np.arange(6.0).reshape(3, 2, 1)}, 3).columns
    assert orjson.loads(answer(columns, 1, 3, None)) == [
        {"name": 'y"', "datatype": "FP32", "shape": [2, 2, 1], "data": [2.0, 3.0, 4.0, 5.0]}
    ]
