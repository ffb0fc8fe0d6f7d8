"""The protocol's JSON, without a model."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pawl.errors import SignatureError
from pawl.serving.codec.base import answer, column
from pawl.serving.protocol import (
    InputTensor,
    answer_head,
    error_response,
    infer_response,
    parse_infer,
)

TENSOR = {"name": "a", "datatype": "FP64", "shape": [1], "data": [1.5]}


def parse(**changes: Any) -> Any:
    return parse_infer(orjson.dumps({"inputs": [TENSOR], **changes}))


def test_a_request_keeps_its_id_inputs_and_wanted_outputs() -> None:
    request = parse(id="42", outputs=[{"name": "label"}], parameters={"priority": 3})
    assert request.id == "42"
    assert request.inputs == [InputTensor("a", "FP64", [1], [1.5])]
    assert request.outputs == ["label"]


@pytest.mark.parametrize("outputs", [None, []])
def test_no_wanted_outputs_means_all(outputs: Any) -> None:
    assert parse(outputs=outputs).outputs is None


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        pytest.param(b"", None, "not JSON", id="empty"),
        pytest.param(b'{"inputs": [NaN]}', None, "not JSON", id="NaN is no JSON"),
        pytest.param(b"[1]", None, "JSON object", id="not an object"),
        pytest.param(b"{}", "inputs", "at least one", id="no inputs"),
        pytest.param(b'{"inputs": []}', "inputs", "at least one", id="empty inputs"),
        pytest.param(b'{"inputs": [3]}', "inputs[0]", "object", id="input not an object"),
        pytest.param(b'{"inputs": [{}]}', "inputs[0].name", "string", id="no name"),
    ],
)
def test_a_malformed_body_names_the_place(body: bytes, field: str | None, words: str) -> None:
    with pytest.raises(SignatureError, match=words) as caught:
        parse_infer(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"datatype": "FLOAT"}, "datatype must be one of", id="unknown datatype"),
        pytest.param({"datatype": None}, "datatype must be one of", id="no datatype"),
        pytest.param({"shape": "1"}, "shape must be a list", id="shape not a list"),
        pytest.param({"shape": []}, "shape must be a list", id="scalar"),
        pytest.param({"shape": [-1]}, "shape holds -1", id="negative size"),
        pytest.param({"shape": [1.0]}, "shape holds 1.0", id="fractional size"),
        pytest.param({"shape": [True]}, "shape holds true", id="boolean size"),
        pytest.param({"data": 1.5}, "data must be a list", id="data not a list"),
        pytest.param({"parameters": {"binary_data_size": 8}}, "binary", id="binary input"),
        pytest.param({"parameters": 3}, "parameters must be", id="parameters not an object"),
    ],
)
def test_a_malformed_tensor_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SignatureError, match=words) as caught:
        parse(inputs=[{**TENSOR, **change}])
    assert caught.value.field == "a"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"id": 42}, id="numeric id"),
        pytest.param({"id": "x" * 300}, id="long id"),
        pytest.param({"outputs": "label"}, id="outputs not a list"),
        pytest.param({"outputs": ["label"]}, id="output without a name"),
        pytest.param({"parameters": {"binary_data_output": True}}, id="binary answer"),
        pytest.param(
            {"outputs": [{"name": "label", "parameters": {"binary_data": True}}]},
            id="binary output",
        ),
    ],
)
def test_what_would_change_the_answer_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        parse(**change)


def test_values_that_are_not_finite_are_null_in_an_answer() -> None:
    outputs = answer([column("p", "FP64", (), 1, [float("nan"), 0.5])], 0, 2, None)
    assert orjson.loads(infer_response(answer_head("m", "1"), None, outputs)) == {
        "model_name": "m",
        "model_version": "1",
        "outputs": [{"name": "p", "datatype": "FP64", "shape": [2], "data": [None, 0.5]}],
    }


def test_the_id_comes_back() -> None:
    answered = infer_response(answer_head("m", "1"), '4"2', b"[]")
    assert orjson.loads(answered)["id"] == '4"2'


def test_a_token_is_a_parameter_of_the_answer() -> None:
    answered = infer_response(answer_head("m", "1"), None, b"[]", b"a-b_c=")
    assert orjson.loads(answered) == {
        "model_name": "m",
        "model_version": "1",
        "outputs": [],
        "parameters": {"feedback": "a-b_c="},
    }


@pytest.mark.parametrize("group", ["", "x" * 65, 7, ["a"], "a\nb", "a\0"])
def test_a_group_is_a_short_name(group: Any) -> None:
    with pytest.raises(SignatureError, match="group"):
        parse(parameters={"group": group})


def test_a_group_is_told() -> None:
    assert parse(parameters={"group": "über 60"}).group == "über 60"
    assert parse(parameters={}).group is None


def test_errors_have_the_protocols_shape() -> None:
    assert orjson.loads(error_response('no "a"')) == {"error": 'no "a"'}
