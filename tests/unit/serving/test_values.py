"""JSON values -> numpy: exact, or an error that names the input and the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.errors import SignatureError
from pawl.serving.codec.values import exact, flat, numbers, strings
from pawl.serving.protocol import InputTensor


def tensor(data: list[Any], datatype: str = "FP64", shape: list[int] | None = None) -> InputTensor:
    return InputTensor("a", datatype, shape or [len(data)], data)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_doubles_come_through_unchanged(values: list[float]) -> None:
    assert numbers(tensor(values)).tolist() == values


def test_null_is_missing() -> None:
    assert np.isnan(numbers(tensor([None, 1.0]))).tolist() == [True, False]
    assert np.isnan(numbers(tensor([None, 1], "INT32"))).tolist() == [True, False]
    assert strings(tensor([None, "x"], "BYTES")) == ["", "x"]


def test_a_declared_fp32_is_read_at_full_precision() -> None:
    assert numbers(tensor([0.1], "FP32")).tolist() == [0.1]


@pytest.mark.parametrize(
    ("data", "datatype", "words"),
    [
        pytest.param([1.0, "2"], "FP64", r'data\[1\] is "2"', id="string among numbers"),
        pytest.param([1.0, True], "FP32", r"data\[1\] is true", id="boolean among numbers"),
        pytest.param([1, 2.5], "INT64", r"data\[1\] is 2.5", id="fraction among integers"),
        pytest.param([1, 300], "UINT8", r"data\[1\] is 300", id="too large for UINT8"),
        pytest.param([-1], "UINT64", r"data\[0\] is -1", id="negative unsigned"),
        pytest.param([1], "BOOL", r"data\[0\] is 1", id="number among booleans"),
        pytest.param([[1.0], 2.0], "FP64", r"data\[0\] is \[1.0\]", id="ragged"),
        pytest.param([1.0, [2.0]], "FP64", r"data\[1\] is \[2.0\]", id="nested late"),
        pytest.param([1.0, {"x": 1}], "FP64", r"data\[1\]", id="object"),
    ],
)
def test_wrong_values_are_named(data: list[Any], datatype: str, words: str) -> None:
    with pytest.raises(SignatureError, match=words) as caught:
        numbers(tensor(data, datatype))
    assert caught.value.field == "a"


def test_numbers_are_no_strings() -> None:
    with pytest.raises(SignatureError, match="BYTES holds strings"):
        strings(tensor(["x", 3], "BYTES"))


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        pytest.param([1, 2, 3, 4, 5, 6], [2, 3], id="flat"),
        pytest.param([[1, 2, 3], [4, 5, 6]], [2, 3], id="nested"),
        pytest.param([[[1], [2], [3]], [[4], [5], [6]]], [2, 3, 1], id="nested twice"),
    ],
)
def test_flat_and_nested_data_mean_the_same(data: list[Any], shape: list[int]) -> None:
    assert flat(tensor(data, "INT64", shape)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        pytest.param([1, 2, 3], [2, 2], id="too few"),
        pytest.param([1, 2, 3], [2], id="too many"),
        pytest.param([[1, 2], [3]], [2, 2], id="ragged"),
        pytest.param([[1, 2], [3, 4]], [4], id="deeper than shape"),
        pytest.param([[1, 2], 3], [2, 2], id="part not a list"),
        pytest.param([[1], [2], [3]], [2, 1], id="other outer size"),
    ],
)
def test_data_must_have_the_shape_that_is_declared(data: list[Any], shape: list[int]) -> None:
    with pytest.raises(SignatureError):
        numbers(tensor(data, "INT64", shape))


@pytest.mark.parametrize(
    ("datatype", "data", "dtype"),
    [
        pytest.param("BOOL", [True, False], np.bool_, id="bool"),
        pytest.param("UINT8", [0, 255], np.uint8, id="uint8"),
        pytest.param("INT64", [-(2**63), 2**63 - 1], np.int64, id="int64"),
        pytest.param("UINT64", [0, 2**64 - 1], np.uint64, id="uint64"),
        pytest.param("FP16", [0.5, -2], np.float16, id="fp16"),
        pytest.param("FP32", [0.5, 1], np.float32, id="fp32"),
        pytest.param("BYTES", ["a", ""], np.object_, id="bytes"),
    ],
)
def test_tensors_get_exactly_their_type(datatype: str, data: list[Any], dtype: type) -> None:
    array = exact(tensor(data, datatype), datatype)
    assert array.dtype == dtype
    assert array.tolist() == data


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        pytest.param("INT8", [128], id="int8"),
        pytest.param("FP16", [1e6], id="fp16"),
        pytest.param("FP32", [1e39], id="fp32"),
        pytest.param("INT32", [None], id="no missing integers"),
        pytest.param("BYTES", [None], id="no missing strings"),
    ],
)
def test_what_does_not_fit_is_refused_not_wrapped(datatype: str, data: list[Any]) -> None:
    with pytest.raises(SignatureError, match="a"):
        exact(tensor(data, datatype), datatype)


def test_a_missing_float_is_nan() -> None:
    assert np.isnan(exact(tensor([None], "FP32"), "FP32")).all()
