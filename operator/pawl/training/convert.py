"""A fitted scikit-learn pipeline as an ONNX graph with the inputs and outputs of `Signature`.

Inputs are declared double: preprocessing (imputing, scaling) runs in double, then numbers are cast
to float32 where the pipeline rounds them (`RoundToFloat32`), because ONNX's tree operators know
float32 only. Steps that skl2onnx has no exact form of are in `onnx_steps`. Whether the graph
answers like the pipeline is for `parity` to say.
"""

from __future__ import annotations

import warnings
from typing import Any

import onnx
from onnx import TensorProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.base import is_classifier

from pawl.artifacts.records import Task
from pawl.artifacts.retry import describe
from pawl.training.onnx_steps import ConversionError, register

#: What onnxruntime has known for long and skl2onnx converts to.
_OPSETS = {"": 18, "ai.onnx.ml": 3}


def to_onnx(pipeline: Any, numeric: int, categorical: int, task: Task) -> bytes:
    """The serialised graph of a pipeline with so many numeric and categorical columns."""
    inputs: list[tuple[str, Any]] = []
    if numeric:
        inputs.append(("numeric", DoubleTensorType([None, numeric])))
    if categorical:
        inputs.append(("categorical", StringTensorType([None, categorical])))
    options: Any = None
    if task != "regression":
        last = pipeline.steps[-1][1] if hasattr(pipeline, "steps") else pipeline
        if is_classifier(last):
            options = {id(pipeline): {"zipmap": False}}
    register()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # skl2onnx uses what numpy and onnx deprecate
            model = convert_sklearn(
                pipeline,
                name="pawl",
                initial_types=inputs,
                options=options,
                target_opset=_OPSETS,
            )
    except Exception as error:
        raise ConversionError(f"no ONNX form: {describe(error, 200)}") from error
    _finish_outputs(model, task)
    # skl2onnx takes them from a set, whose order changes from process to process.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    model.graph.name = "pawl"
    model.doc_string = ""
    return bytes(model.SerializeToString(deterministic=True))


def _finish_outputs(model: onnx.ModelProto, task: Task) -> None:
    """Gives the outputs their names and casts scores to double, which they are declared to be:
    skl2onnx declares the type of the inputs, its operators give float32."""
    wanted = ("prediction",) if task == "regression" else ("label", "probabilities")
    graph = model.graph
    if len(graph.output) != len(wanted):
        raise ConversionError(f"the graph has {len(graph.output)} outputs")
    inner = {output.name: f"pawl_{i}" for i, output in enumerate(graph.output)}
    for node in graph.node:
        for field in (node.input, node.output):
            for i, name in enumerate(field):
                field[i] = inner.get(name, f"pawl_inner_{name}" if name in wanted else name)
    for output, name in zip(graph.output, wanted, strict=True):
        kind = TensorProto.INT64 if name == "label" else TensorProto.DOUBLE
        graph.node.append(onnx.helper.make_node("Cast", [inner[output.name]], [name], to=kind))
        output.name = name
        output.type.tensor_type.elem_type = kind
