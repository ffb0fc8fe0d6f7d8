"""The artifact that will be served, from what `train` left in output/.

A skops pipeline becomes ONNX when the graph answers like it (`parity`); else it is served by
scikit-learn, and a warning says why. An ONNX file is served as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.bundle import MODEL_ONNX, MODEL_SKOPS
from pawl.artifacts.onnx_scan import refuse_external_data
from pawl.artifacts.records import RunConfig
from pawl.errors import UserError
from pawl.training import parity, threshold
from pawl.training.engines import Engine, OnnxEngine, SklearnEngine
from pawl.training.parts import Parts
from pawl.training.workspace import Schema, Workspace


@dataclass(frozen=True, slots=True)
class Served:
    """The engine that metrics are computed with, the files it is made of, and its threshold."""

    engine: Engine
    format: Literal["onnx", "skops"]
    files: dict[str, bytes]
    threshold: float | None
    warnings: tuple[str, ...] = ()


def choose(
    config: RunConfig, spec: TrainingJobSpec, work: Workspace, schema: Schema, parts: Parts
) -> Served:
    """UserError when there is no model, or none that answers to these data."""
    onnx, skops = work.output / MODEL_ONNX, work.output / MODEL_SKOPS
    if onnx.exists() and skops.exists():
        raise UserError(f"the trainer left both {MODEL_ONNX} and {MODEL_SKOPS}; leave one")
    if onnx.exists():
        return _ready_onnx(spec, work, schema, parts)
    if skops.exists():
        return _from_skops(config, spec, work, schema, parts)
    raise UserError(
        f"the trainer left no model: it must write {MODEL_ONNX} or {MODEL_SKOPS} into "
        "PAWL_OUTPUT_DIR",
        reason="NoModel",
    )


def _threshold(spec: TrainingJobSpec, engine: Engine, parts: Parts) -> float | None:
    if spec.data.task != "binary":
        return None
    scores = engine.scores(parts.validation)
    return threshold.choose(spec.evaluation.threshold, parts.validation_truth, scores)


def _ready_onnx(spec: TrainingJobSpec, work: Workspace, schema: Schema, parts: Parts) -> Served:
    path = work.output / MODEL_ONNX
    refuse_external_data(path)
    model = path.read_bytes()
    engine = OnnxEngine(model, schema.task, len(schema.classes))
    return Served(engine, "onnx", {MODEL_ONNX: model}, _threshold(spec, engine, parts))


def _from_skops(
    config: RunConfig, spec: TrainingJobSpec, work: Workspace, schema: Schema, parts: Parts
) -> Served:
    from pawl.training import persist  # noqa: PLC0415 - imports scikit-learn

    pipeline = persist.load(work.output / MODEL_SKOPS, config.allowed_estimators)
    order = [feature.name for feature in schema.features]
    reference = SklearnEngine(pipeline, schema.task, len(schema.classes), order)
    content = (work.output / MODEL_SKOPS).read_bytes()
    converted = _converted(pipeline, schema)
    if isinstance(converted, str):
        reason = converted
    else:
        model, engine = converted
        cut = _threshold(spec, engine, parts)
        rows = parity.sample([parts.train, parts.validation, parts.test], spec.seed)
        found = parity.check(reference, engine, rows, schema.task, cut)
        if found.holds:
            return Served(engine, "onnx", {MODEL_ONNX: model, MODEL_SKOPS: content}, cut)
        reason = found.sentence(schema.task)
    sentence = f"served by scikit-learn (server-sklearn image): {reason}"
    cut = _threshold(spec, reference, parts)
    return Served(reference, "skops", {MODEL_SKOPS: content}, cut, (sentence,))


def _converted(pipeline: object, schema: Schema) -> tuple[bytes, Engine] | str:
    """The graph and its engine, or why there is none."""
    from pawl.training.convert import to_onnx  # noqa: PLC0415
    from pawl.training.onnx_steps import ConversionError  # noqa: PLC0415

    try:
        model = to_onnx(pipeline, len(schema.numeric), len(schema.categorical), schema.task)
        return model, OnnxEngine(model, schema.task, len(schema.classes))
    except (ConversionError, UserError) as error:
        return str(error)
