"""Small ONNX models with a known behaviour, imported as somebody would import models trained
elsewhere. All of them take one column `x` and say 1 for a positive number, unless told otherwise.
"""

from __future__ import annotations

import hashlib
from typing import Any

from harness import Space
from onnx import TensorProto, helper

#: Inputs: harmless to every model, and what `fails_above` fails on.
SMALL, LARGE = 3.0, 900.0
_LIMIT = 500.0


def good() -> bytes:
    """Always right."""
    return _graph([helper.make_node("Greater", ["x", "zero"], ["positive"])])


def contrary() -> bytes:
    """Always wrong, and it never fails: only its answers show it."""
    return _graph([helper.make_node("Less", ["x", "zero"], ["positive"])])


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
    def constant(name: str, value: float) -> Any:
        return helper.make_tensor(name, TensorProto.FLOAT, [1], [value])

    rows = ["rows", 1]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Cast", ["positive"], ["label"], to=TensorProto.INT64)],
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info("label", TensorProto.INT64, rows)],
        [
            constant("zero", 0.0),
            constant("limit", _LIMIT),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def body(x: float) -> dict[str, Any]:
    """An inference request with one row."""
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [x]}]}


def imported(space: Space, model: str, number: int, content: bytes) -> str:
    """Creates a ModelVersion of a file and gives its name."""
    name = f"{model}-v{number}"
    uri = space.cluster.store_file(f"imports/{space.name}/{name}.onnx", content)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    artifact = {"uri": uri, "digest": digest, "format": "onnx"}
    space.create("ModelVersion", name, {"model": model, "version": number, "artifact": artifact})
    return name
