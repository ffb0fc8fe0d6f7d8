"""The artifact that will be served, from what the trainer left in output/.

A scikit-learn pipeline becomes ONNX when the graph answers like it (`parity`); else it is served by
scikit-learn, and a warning says why. An ONNX file is served as it is. After the built-in trainer
the choice is already made when `publish` starts (`served.json`): scikit-learn and skl2onnx take
seconds to import, and `train` has them loaded anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.bundle import MODEL_ONNX, MODEL_SKOPS
from pawl.artifacts.onnx_scan import refuse_external_data
from pawl.artifacts.records import Record
from pawl.artifacts.runs import RunConfig
from pawl.errors import UserError
from pawl.training import parity, threshold
from pawl.training.engines import Engine, OnnxEngine, SklearnEngine
from pawl.training.parts import Parts
from pawl.training.workspace import Schema, Workspace, read_record, write_record


class Choice(Record):
    """served.json: which engine serves, from which probability on, and why not ONNX."""

    format: Literal["onnx", "skops"]
    threshold: float | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """The engine that metrics are computed with, and the files that go into the bundle."""

    engine: Engine
    choice: Choice
    files: tuple[str, ...]  # names in output/


def serve_pipeline(
    pipeline: Any, spec: TrainingJobSpec, work: Workspace, schema: Schema, parts: Parts
) -> Served:
    """Converts a fitted pipeline, whose model.skops is written already, and records the choice."""
    order = [feature.name for feature in schema.features]
    reference = SklearnEngine(pipeline, schema.task, len(schema.classes), order)
    converted = _converted(pipeline, schema)
    if isinstance(converted, str):
        reason = converted
    else:
        model, engine = converted
        cut = _threshold(spec, engine, parts)
        rows = parity.sample([parts.train, parts.validation, parts.test.features], spec.seed)
        found = parity.check(reference, engine, rows, schema.task, cut)
        if found.holds:
            (work.output / MODEL_ONNX).write_bytes(model)
            choice = Choice(format="onnx", threshold=cut)
            write_record(work.served, choice)
            return Served(engine, choice, (MODEL_ONNX, MODEL_SKOPS))
        reason = found.sentence(schema.task)
    choice = Choice(
        format="skops",
        threshold=_threshold(spec, reference, parts),
        warnings=(f"served by scikit-learn (server-sklearn image): {reason}",),
    )
    write_record(work.served, choice)
    return Served(reference, choice, (MODEL_SKOPS,))


def unconverted(pipeline: Any, spec: TrainingJobSpec, schema: Schema, parts: Parts) -> Served:
    """A fitted pipeline as it is, to score a trial: no files come of it."""
    order = [feature.name for feature in schema.features]
    engine = SklearnEngine(pipeline, schema.task, len(schema.classes), order)
    return Served(engine, Choice(format="skops", threshold=_threshold(spec, engine, parts)), ())


def load(
    config: RunConfig, spec: TrainingJobSpec, work: Workspace, schema: Schema, parts: Parts
) -> Served:
    """What the trainer left, ready to score. UserError when it is nothing that can be served."""
    if work.served.exists():
        return _chosen(config, work, schema)
    onnx, skops = work.output / MODEL_ONNX, work.output / MODEL_SKOPS
    if onnx.exists() and skops.exists():
        raise UserError(f"the trainer left both {MODEL_ONNX} and {MODEL_SKOPS}; leave one")
    if onnx.exists():
        refuse_external_data(onnx)
        from pawl.training.onnx_adapt import adapted  # noqa: PLC0415 - imports onnx

        onnx.write_bytes(adapted(onnx.read_bytes(), schema))
        engine = OnnxEngine(onnx, schema.task, len(schema.classes))
        choice = Choice(format="onnx", threshold=_threshold(spec, engine, parts))
        return Served(engine, choice, (MODEL_ONNX,))
    if skops.exists():
        if config.trial is not None:
            return unconverted(_pipeline(config, work), spec, schema, parts)
        return serve_pipeline(_pipeline(config, work), spec, work, schema, parts)
    raise UserError(
        f"the trainer left no model: it must write {MODEL_ONNX} or {MODEL_SKOPS} into "
        "PAWL_OUTPUT_DIR",
        reason="NoModel",
    )


def _chosen(config: RunConfig, work: Workspace, schema: Schema) -> Served:
    choice = read_record(work.served, Choice)
    if choice.format == "onnx":
        graph = OnnxEngine(work.output / MODEL_ONNX, schema.task, len(schema.classes))
        return Served(graph, choice, (MODEL_ONNX, MODEL_SKOPS))
    order = [feature.name for feature in schema.features]
    engine = SklearnEngine(_pipeline(config, work), schema.task, len(schema.classes), order)
    return Served(engine, choice, (MODEL_SKOPS,))


def _pipeline(config: RunConfig, work: Workspace) -> Any:
    from pawl.training import persist  # noqa: PLC0415 - imports scikit-learn

    return persist.load(work.output / MODEL_SKOPS, config.allowed_estimators)


def _threshold(spec: TrainingJobSpec, engine: Engine, parts: Parts) -> float | None:
    if spec.data.task != "binary":
        return None
    scores = engine.scores(parts.validation)
    return threshold.choose(spec.evaluation.threshold, parts.validation_truth, scores)


def _converted(pipeline: Any, schema: Schema) -> tuple[bytes, Engine] | str:
    """The graph and its engine, or why there is none."""
    from pawl.training.convert import to_onnx  # noqa: PLC0415 - imports scikit-learn
    from pawl.training.onnx_steps import ConversionError  # noqa: PLC0415

    try:
        model = to_onnx(pipeline, len(schema.numeric), len(schema.categorical), schema.task)
        return model, OnnxEngine(model, schema.task, len(schema.classes))
    except (ConversionError, UserError) as error:
        return str(error)
