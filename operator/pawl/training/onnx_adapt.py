"""Makes an ONNX file of a container trainer keep the file contract where it nearly does.

The contract: inputs `numeric` (double [N, k]) and/or `categorical` (string [N, m]), output
`probabilities` [N, C] or `prediction` [N] or [N, 1]. What frameworks export is adapted:

* one input of another name, float32 or double, when all features are numbers
* one numeric output of another name, beside any number of outputs that are no floats
* for two classes, one probability per row p: becomes [1 − p, p]
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper

from pawl.artifacts.retry import describe
from pawl.errors import UserError
from pawl.training.workspace import Schema

_FLOATS = {TensorProto.FLOAT: "float", TensorProto.DOUBLE: "double"}


def adapted(data: bytes, schema: Schema) -> bytes:
    """The file, changed as little as the contract asks. UserError when it cannot be meant."""
    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:
        raise _unfit(f"is no valid ONNX file: {describe(error, 200)}") from error
    before = model.SerializeToString(deterministic=True)
    _adapt_inputs(model.graph, schema)
    _adapt_output(model.graph, schema)
    after = model.SerializeToString(deterministic=True)
    return data if after == before else bytes(after)


def _unfit(what: str) -> UserError:
    return UserError(f"model.onnx {what}", reason="ModelUnfit")


def _kind(value: Any) -> int:
    return int(value.type.tensor_type.elem_type)


def _named(values: Any) -> str:
    return ", ".join(value.name for value in values) or "none"


def _adapt_inputs(graph: Any, schema: Schema) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    wanted = {
        name: kind
        for name, kind, columns in (
            ("numeric", TensorProto.DOUBLE, schema.numeric),
            ("categorical", TensorProto.STRING, schema.categorical),
        )
        if columns
    }
    if {value.name: _kind(value) for value in inputs} == wanted:
        return
    single = len(inputs) == 1 and _kind(inputs[0]) in _FLOATS
    if not single or set(wanted) != {"numeric"}:
        raise _unfit(
            f"takes {_named(inputs)}; for these features it must take "
            + " and ".join(
                f"{name} ({'double' if kind == TensorProto.DOUBLE else 'string'})"
                for name, kind in wanted.items()
            )
        )
    value = inputs[0]
    if value.name != "numeric":
        _free(graph, "numeric")
    inner = value.name if value.name != "numeric" else "numeric_cast"
    for node in graph.node:
        _rename(node.input, value.name, inner)
    cast = helper.make_node("Cast", ["numeric"], [inner], name="pawl_input", to=_kind(value))
    graph.node.insert(0, cast)
    value.name = "numeric"
    value.type.tensor_type.elem_type = TensorProto.DOUBLE


def _adapt_output(graph: Any, schema: Schema) -> None:
    wanted = "prediction" if schema.task == "regression" else "probabilities"
    named = [value for value in graph.output if value.name == wanted]
    floats = [value for value in graph.output if _kind(value) in _FLOATS]
    if not named and len(floats) != 1:
        raise _unfit(f"gives {_named(graph.output)}; it must give {wanted}")
    value = (named or floats)[0]
    if _kind(value) not in _FLOATS:
        raise _unfit(f"gives {wanted} that are no numbers (for scikit-learn: zipmap=False)")
    single = schema.task == "binary" and _width(value) in (None, 1)
    if value.name == wanted and not single:
        return
    if value.name != wanted:
        _free(graph, wanted)
    inner = value.name if value.name != wanted else f"{wanted}_inner"
    if inner != value.name:
        for node in graph.node:
            _rename(node.input, value.name, inner)
            _rename(node.output, value.name, inner)
    if single:
        _both_classes(graph, inner, wanted, _kind(value))
    else:
        graph.node.append(helper.make_node("Identity", [inner], [wanted], name="pawl_output"))
    shape = [None, len(schema.classes)] if schema.classes else None
    kept = [other for other in graph.output if other is not value]
    info = helper.make_tensor_value_info(wanted, _kind(value), shape)
    del graph.output[:]
    graph.output.extend([*kept, info])


def _width(value: Any) -> int | None:
    """The last dimension; None for one number per row ([N]), −1 where it is not fixed."""
    shape = value.type.tensor_type.shape.dim
    if len(shape) == 1:
        return None
    return int(shape[-1].dim_value) or -1 if len(shape) else -1


def _both_classes(graph: Any, inner: str, out: str, kind: int) -> None:
    graph.initializer.extend(
        [
            helper.make_tensor("pawl_column", TensorProto.INT64, [2], [-1, 1]),
            helper.make_tensor("pawl_one", kind, [], [1.0]),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Reshape", [inner, "pawl_column"], ["pawl_p"], name="pawl_reshape"),
            helper.make_node("Sub", ["pawl_one", "pawl_p"], ["pawl_q"], name="pawl_rest"),
            helper.make_node("Concat", ["pawl_q", "pawl_p"], [out], name="pawl_output", axis=1),
        ]
    )


def _free(graph: Any, name: str) -> None:
    """Makes sure that nothing inside the graph has the name that an input or output will get."""
    for node in graph.node:
        _rename(node.input, name, f"{name}_inner")
        _rename(node.output, name, f"{name}_inner")
    for tensor in graph.initializer:
        if tensor.name == name:
            tensor.name = f"{name}_inner"


def _rename(names: Any, old: str, new: str) -> None:
    for i, name in enumerate(names):
        if name == old:
            names[i] = new
