"""Columns and the matrix in, labels and probabilities out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.records import Signature, Tensor
from pawl.errors import IntegrityError, SignatureError
from pawl.serving.codec import answer, codec_for
from pawl.serving.codec.base import Codec, join
from pawl.serving.errors import TooLargeError
from pawl.serving.protocol import InferRequest, InputTensor

SignatureOf = Callable[..., Signature]
MIXED = Signature(
    task="regression",
    inputs=(
        Tensor(name="plan", datatype="BYTES", shape=(-1,)),
        Tensor(name="age", datatype="FP64", shape=(-1,)),
        Tensor(name="vip", datatype="BOOL", shape=(-1,)),
    ),
    outputs=(Tensor(name="prediction", datatype="FP64", shape=(-1,)),),
    numeric=("age", "vip"),
    categorical=("plan",),
)
PLAN = InputTensor("plan", "BYTES", [2], ["pro", None])
AGE = InputTensor("age", "INT64", [2, 1], [[41], [None]])
VIP = InputTensor("vip", "BOOL", [2], [True, False])
MATRIX = InputTensor("input", "FP64", [2, 2], [41.0, 1.0, None, 0.0])


def request(*inputs: InputTensor, outputs: list[str] | None = None) -> InferRequest:
    return InferRequest(None, list(inputs), outputs)


def mixed() -> Codec:
    return codec_for(MIXED, 10)


def test_columns_are_fed_in_the_order_of_the_signature() -> None:
    rows = mixed().decode(request(VIP, AGE, PLAN))
    assert rows.size == 2
    np.testing.assert_array_equal(rows.feed["numeric"], [[41, 1], [np.nan, 0]])
    assert rows.feed["categorical"].tolist() == [["pro"], [""]]
    assert rows.feed["numeric"].flags.c_contiguous


def test_the_matrix_stands_for_all_numeric_columns() -> None:
    by_column = mixed().decode(request(VIP, AGE, PLAN))
    by_matrix = mixed().decode(request(MATRIX, PLAN))
    np.testing.assert_array_equal(by_matrix.feed["numeric"], by_column.feed["numeric"])


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=5))
def test_columns_and_matrix_agree(rows: list[tuple[float, float]]) -> None:
    columns = ("a", "b")
    signature = Signature(
        inputs=tuple(Tensor(name=name, datatype="FP64", shape=(-1,)) for name in columns),
        outputs=(Tensor(name="prediction", datatype="FP64", shape=(-1,)),),
        numeric=columns,
    )
    codec = codec_for(signature, 10)
    n = len(rows)
    matrix = InputTensor("input", "FP64", [n, 2], [value for row in rows for value in row])
    a = InputTensor("a", "FP64", [n], [row[0] for row in rows])
    b = InputTensor("b", "FP64", [n, 1], [[row[1]] for row in rows])
    left = codec.decode(request(matrix)).feed["numeric"]
    right = codec.decode(request(b, a)).feed["numeric"]
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("inputs", "field", "words"),
    [
        pytest.param([VIP, AGE], "plan", "is missing", id="missing column"),
        pytest.param([PLAN], "age", "is missing", id="several missing"),
        pytest.param([VIP, AGE, PLAN, PLAN], "plan", "given twice", id="twice"),
        pytest.param(
            [VIP, AGE, PLAN, AGE._replace(name="size")], "size", "no input", id="unknown column"
        ),
        pytest.param([MATRIX, PLAN, AGE], "age", "is also in input", id="matrix and column"),
        pytest.param([MATRIX], "plan", "is missing", id="matrix without categories"),
        pytest.param(
            [VIP, AGE, PLAN._replace(datatype="FP64")], "plan", "expected datatype BYTES", id="type"
        ),
        pytest.param(
            [VIP, AGE._replace(datatype="BYTES"), PLAN], "age", "numeric datatype", id="number"
        ),
        pytest.param(
            [VIP, AGE._replace(shape=[1, 2]), PLAN], "age", r"expected shape \[2\]", id="wide"
        ),
        pytest.param(
            [VIP, AGE, PLAN._replace(shape=[1], data=["x"])], "plan", "expected shape", id="shorter"
        ),
        pytest.param(
            [MATRIX._replace(shape=[4, 1]), PLAN], "input", r"expected shape \[n, 2\]", id="matrix"
        ),
        pytest.param(
            [MATRIX._replace(shape=[0, 2], data=[]), PLAN], "input", "no rows", id="empty"
        ),
    ],
)
def test_what_does_not_fit_is_named(inputs: list[InputTensor], field: str, words: str) -> None:
    with pytest.raises(SignatureError, match=words) as caught:
        mixed().decode(request(*inputs))
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["a", "input"])
def test_more_rows_than_allowed_are_refused_before_they_are_read(
    name: str, signature: SignatureOf
) -> None:
    codec = codec_for(signature("a"), 10)
    shape = [11, 1] if name == "input" else [11]
    with pytest.raises(TooLargeError, match="at most 10"):
        codec.decode(request(InputTensor(name, "FP64", shape, ["not read"])))


def test_a_column_may_be_called_input(signature: SignatureOf) -> None:
    codec = codec_for(signature("input", "b"), 10)
    column = InputTensor("input", "FP64", [1], [1.0])
    rows = codec.decode(request(column, column._replace(name="b", data=[2.0])))
    assert rows.feed["numeric"].tolist() == [[1.0, 2.0]]


def test_an_unknown_output_is_refused(signature: SignatureOf) -> None:
    codec = codec_for(signature("a"), 10)
    with pytest.raises(SignatureError, match=r"'score'.*label, probabilities"):
        codec.decode(request(InputTensor("a", "FP64", [1], [1.0]), outputs=["score"]))


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [
        pytest.param(None, ["no", "yes", "yes"], id="half by default"),
        pytest.param(0.3, ["yes", "yes", "yes"], id="low"),
        pytest.param(0.7, ["no", "no", "yes"], id="high, inclusive"),
    ],
)
def test_the_threshold_decides_the_label(
    threshold: float | None, labels: list[str], signature: SignatureOf
) -> None:
    codec = codec_for(signature("a", threshold=threshold), 10)
    probabilities = np.array([[0.7, 0.3], [0.5, 0.5], [0.3, 0.7]])
    columns, non_finite, said = codec.render({"probabilities": probabilities}, 3)
    outputs = {output["name"]: output for output in orjson.loads(answer(columns, 0, 3, None))}
    assert outputs["label"] == {
        "name": "label", "datatype": "BYTES", "shape": [3], "data": labels,
    }  # fmt: skip
    assert outputs["probabilities"]["shape"] == [3, 2]
    assert outputs["probabilities"]["data"] == probabilities.ravel().tolist()
    assert non_finite == 0
    assert said.labels == labels
    assert said.values == [0.3, 0.5, 0.7]


def test_each_request_gets_its_own_rows(signature: SignatureOf) -> None:
    codec = codec_for(signature("a"), 10)
    columns, _, _ = codec.render({"probabilities": np.array([[1, 0], [0, 1], [0.4, 0.6]])}, 3)
    (output,) = orjson.loads(answer(columns, 1, 3, ["probabilities"]))
    assert output["data"] == [0, 1, 0.4, 0.6]
    both = orjson.loads(answer(columns, 0, 1, ["probabilities", "label"]))
    assert [output["data"] for output in both] == [
        [1, 0],
        ["no"],
    ]


def test_of_many_classes_the_likeliest_wins() -> None:
    signature = Signature(
        task="multiclass",
        inputs=(Tensor(name="a", datatype="FP64", shape=(-1,)),),
        outputs=(
            Tensor(name="label", datatype="INT64", shape=(-1,)),
            Tensor(name="probabilities", datatype="FP64", shape=(-1, 3)),
        ),
        numeric=("a",),
        classes=(10, 20, 30),
    )
    columns, _, said = codec_for(signature, 10).render(
        {"probabilities": np.array([[0.2, 0.2, 0.6], [0.4, 0.4, 0.2]])}, 2
    )
    assert columns[0].data == said.labels == [30, 10]
    assert (said.values, said.width) == ([0.2, 0.2, 0.6, 0.4, 0.4, 0.2], 3)


def test_a_label_without_finite_probability_is_null_and_counted(signature: SignatureOf) -> None:
    codec = codec_for(signature("a"), 10)
    columns, non_finite, said = codec.render(
        {"probabilities": np.array([[np.nan, np.nan], [0.1, 0.9]])}, 2
    )
    assert columns[0].data == said.labels == [None, "yes"]
    assert non_finite == 1


def test_predictions_that_are_not_finite_are_counted() -> None:
    _, non_finite, said = mixed().render({"prediction": np.array([[1.0], [np.inf]])}, 2)
    assert non_finite == 1
    assert said.values == [1.0, np.inf]


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (2,)])
def test_outputs_of_another_shape_are_an_error(
    shape: tuple[int, ...], signature: SignatureOf
) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        codec_for(signature("a"), 10).render({"probabilities": np.zeros(shape)}, 2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"numeric": ("a", "b")}, id="column that is no input"),
        pytest.param({"classes": ("x", "y", "z"), "threshold": 0.5}, id="threshold of three"),
        pytest.param(
            {"outputs": (Tensor(name="score", datatype="FP64", shape=(-1,)),)}, id="output"
        ),
    ],
)
def test_a_signature_that_contradicts_itself_is_refused(
    change: dict[str, Any], signature: SignatureOf
) -> None:
    with pytest.raises(IntegrityError, match="signature"):
        codec_for(signature("a").model_copy(update=change), 10)


def test_rows_of_several_requests_are_joined_in_order() -> None:
    first, second = mixed().decode(request(VIP, AGE, PLAN)), mixed().decode(request(MATRIX, PLAN))
    both = join([first.feed, second.feed])
    assert both["numeric"].shape == (4, 2)
    assert both["categorical"][:, 0].tolist() == ["pro", "", "pro", ""]
