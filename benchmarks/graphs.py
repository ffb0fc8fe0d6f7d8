"""Small ONNX models with a known behaviour: they take a column `x` and say 1 if it is positive."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto, helper

#: Inputs: harmless, and what `fails_above` fails on.
SMALL, LARGE = 3.0, 900.0
_LIMIT = 500.0


def good() -> bytes:
    """Always right."""
    return _graph([helper.make_node("Greater", ["x", "zero"], ["positive"])])


def fails_above() -> bytes:
    """Right for `SMALL` inputs; answers 500 to `LARGE` ones, for which it makes up a row."""
    return _graph(
        [
            helper.make_node("Greater", ["x", "limit"], ["is_large"]),
            helper.make_node("Cast", ["is_large"], ["large"], to=TensorProto.INT64),
            helper.make_node("ReduceMax", ["large"], ["more"], keepdims=1),  # 1 by 1
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Reshape", ["more", "one"], ["rows_more"]),
            helper.make_node("Add", ["shape", "rows_more"], ["wished"]),
            helper.make_node("Reshape", ["x", "wished"], ["sound"]),
            helper.make_node("Greater", ["sound", "zero"], ["positive"]),
        ]
    )


def _graph(nodes: list[Any]) -> bytes:
    rows: list[str | int | None] = ["rows", 1]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Cast", ["positive"], ["label"], to=TensorProto.INT64)],
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info("label", TensorProto.INT64, rows)],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("limit", TensorProto.FLOAT, [1], [_LIMIT]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def body(x: float) -> dict[str, Any]:
    """An inference request with one row."""
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [x]}]}
