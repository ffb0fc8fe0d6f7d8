"""Stage `train`, the built-in scikit-learn trainer: fits, saves with skops, converts to ONNX."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

from sklearn.utils.validation import has_fit_parameter

from pawl.api.trainer import SklearnTrainer
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.bundle import MODEL_SKOPS
from pawl.artifacts.retry import describe
from pawl.artifacts.runs import RunConfig
from pawl.errors import UserError
from pawl.training import log, persist, recorded, trial
from pawl.training.artifact import serve_pipeline
from pawl.training.estimators import build, no_probabilities
from pawl.training.parts import load_parts
from pawl.training.pipeline import MODEL_STEP, build_pipeline
from pawl.training.workspace import (
    Outcome,
    Schema,
    Trained,
    Workspace,
    read_record,
    write_record,
)

_MOST_WARNINGS = 5


def train(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves model.skops (and model.onnx where it answers alike), trained.json and served.json; of
    a trial, scored.json."""
    trainer = spec.trainer.sklearn
    if trainer is None:
        raise UserError("this stage runs spec.trainer.sklearn; a container trainer runs itself")
    if recorded.noted(work) is not None:
        return Outcome("nothing to train")
    schema = read_record(work.schema, Schema)
    estimator = build(
        trainer.estimator,
        trainer.parameters,
        task=spec.data.task,
        seed=spec.seed,
        extra=config.allowed_estimators,
    )
    pipeline = build_pipeline(schema, estimator, trainer.preprocessing)
    parts = load_parts(work, schema)
    features = parts.train.frame()
    log.info("fitting", estimator=trainer.estimator, rows=len(features))
    if config.trial is not None:

        def fit(fitted: Any, rows: Any, target: Any, weights: Any) -> None:
            _fit(fitted, rows, target, weights, trainer)

        steps = config.trial.steps
        found = trial.run(pipeline, fit, spec, work, schema, parts, steps=steps)
        return Outcome(f"fitted {trainer.estimator} in {found.seconds or 0:.1f} s")
    started = time.monotonic()
    said = _fit(pipeline, features, parts.train_truth, parts.train_weights, trainer)
    seconds = time.monotonic() - started
    log.info("fitted", seconds=round(seconds, 3))
    if spec.data.task != "regression" and not hasattr(pipeline, "predict_proba"):
        raise no_probabilities(trainer.estimator)
    persist.save(pipeline, work.output / MODEL_SKOPS)
    parameters = {k: _plain(v) for k, v in estimator.get_params(deep=False).items()}
    write_record(work.trained, Trained(parameters=parameters, fit_seconds=seconds, warnings=said))
    served = serve_pipeline(pipeline, spec, work, schema, parts)
    log.info("artifact chosen", format=served.choice.format)
    return Outcome(f"fitted {trainer.estimator} in {seconds:.1f} s", warnings=said)


def _fit(
    pipeline: Any, features: Any, target: Any, weights: Any, trainer: SklearnTrainer
) -> tuple[str, ...]:
    """Fits, and gives what scikit-learn warned of."""
    extra = {}
    if weights is not None:
        if not has_fit_parameter(pipeline.named_steps[MODEL_STEP], "sample_weight"):
            raise UserError(f"{trainer.estimator} takes no weights; leave out data.weightColumn")
        extra[f"{MODEL_STEP}__sample_weight"] = weights
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pipeline.fit(features, target, **extra)
        except ValueError as error:
            # The data are checked and the parameters valid one by one: what is left is an
            # estimator that cannot take these data, or parameters that contradict each other.
            raise UserError(
                f"{trainer.estimator} cannot be fitted: {describe(error)}", reason="FitFailed"
            ) from error
    sentences = [" ".join(str(item.message).split())[:200] for item in caught]
    return tuple(dict.fromkeys(sentences))[:_MOST_WARNINGS]


def _plain(value: Any) -> Any:
    """A parameter as JSON: nested estimators and anything else by their text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return " ".join(str(value).split())
