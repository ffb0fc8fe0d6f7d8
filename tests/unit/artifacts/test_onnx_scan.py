"""Models that keep weights in other files are found wherever the tensor hides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pawl.artifacts.onnx_scan import refuse_external_data
from pawl.errors import IntegrityError


def _external(name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def _model(
    initializers: tuple[TensorProto, ...] = (),
    nodes: tuple[onnx.NodeProto, ...] = (),
    name: str = "x",
) -> onnx.ModelProto:
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(list(nodes), "g", [value], [value], list(initializers))
    return helper.make_model(graph)


def _branch(tensor: TensorProto) -> onnx.NodeProto:
    inner = helper.make_graph([], "inner", [], [], [tensor])
    return helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)


WITHIN_FUNCTION = _model()
WITHIN_FUNCTION.functions.add(name="f", domain="d").node.append(
    helper.make_node("Constant", [], ["c"], value=_external())
)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(_model((_external(),)), id="initializer"),
        pytest.param(
            _model(nodes=(helper.make_node("Constant", [], ["c"], value=_external()),)),
            id="attribute",
        ),
        pytest.param(_model(nodes=(_branch(_external()),)), id="branch"),
        pytest.param(WITHIN_FUNCTION, id="function"),
    ],
)
def test_external_weights_are_refused(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(IntegrityError, match="in other files"):
        refuse_external_data(path)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(_model((numpy_helper.from_array(np.ones(3), "w"),)), id="plain"),
        pytest.param(_model(name="location"), id="an input called location"),
        pytest.param(
            _model((numpy_helper.from_array(np.frombuffer(b"location", np.uint8), "location"),)),
            id="a tensor called location",
        ),
    ],
)
def test_inline_weights_are_accepted(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    refuse_external_data(path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 20 + b"location", b"\x3a\x7flocation"])
def test_what_is_no_model_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        refuse_external_data(path)
