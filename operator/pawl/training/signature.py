"""The signature of a version that was trained here."""

from __future__ import annotations

from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Datatype, Signature, Tensor
from pawl.expressions import Kind as Values
from pawl.training.workspace import Kind, Label, Schema

_INPUTS: dict[Kind | Values, Datatype] = {
    "numeric": "FP64", "number": "FP64", "boolean": "BOOL",
    "categorical": "BYTES", "text": "BYTES", "time": "BYTES",
}  # fmt: skip


def build_signature(
    schema: Schema, threshold: float | None, derivation: Derivation | None = None
) -> Signature:
    """One input per feature, or per column that the features are derived from; `label` and
    `probabilities`, or `prediction`."""
    inputs = tuple(
        Tensor(name=one.name, datatype=_INPUTS[one.kind], shape=(-1,))
        for one in (derivation.inputs if derivation else schema.features)
    )
    outputs: tuple[Tensor, ...] = (Tensor(name="prediction", datatype="FP64", shape=(-1,)),)
    if schema.task != "regression":
        outputs = (
            Tensor(name="label", datatype=_label_datatype(schema.classes), shape=(-1,)),
            Tensor(name="probabilities", datatype="FP64", shape=(-1, len(schema.classes))),
        )
    return Signature(
        task=schema.task,
        inputs=inputs,
        outputs=outputs,
        numeric=schema.numeric,
        categorical=schema.categorical,
        classes=schema.classes,
        threshold=threshold if schema.task == "binary" else None,
    )


def _label_datatype(classes: tuple[Label, ...]) -> Datatype:
    if all(isinstance(value, bool) for value in classes):
        return "BOOL"
    if all(isinstance(value, int) and not isinstance(value, bool) for value in classes):
        return "INT64"
    return "FP64" if all(isinstance(value, float | int) for value in classes) else "BYTES"
