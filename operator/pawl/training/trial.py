"""A trial of the built-in trainer: its objectives on the validation rows, and what they are on the
way there.

A pruner needs values on the way. An estimator has no steps of its own to stop at, so it is fitted
on growing shares of the training rows, as scikit-learn's successive halving does it (resource
n_samples): 1/9, 1/3, all of them, reported as steps 1, 3 and 9. The rows are shuffled by the seed,
and the smaller shares are part of the larger ones.

With `search.crossValidation` the objectives are means over folds of train and validation rows, each
fold scored by what was fitted on the others; then nothing is reported on the way.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pawl.api.trainingjob import TrainingJobSpec
from pawl.errors import UserError
from pawl.training.artifact import unconverted
from pawl.training.evaluate import on_validation
from pawl.training.parts import Parts
from pawl.training.workspace import Objectives, Schema, Workspace, write_record

#: Step -> one part in so many of the training rows.
SHARES = {1: 9, 3: 3}
_ALL = 9
#: Fits a pipeline on features, target and weights.
Fit = Callable[[Any, Any, Any, Any], object]


def run(
    pipeline: Any,
    fit: Fit,
    spec: TrainingJobSpec,
    work: Workspace,
    schema: Schema,
    parts: Parts,
    *,
    steps: bool,
) -> Objectives:
    """Fits and scores, and leaves the objectives for `score`. With `steps` it reports."""

    def values(fitted: Any) -> dict[str, float]:
        return on_validation(spec, schema, unconverted(fitted, spec, schema, parts), parts)

    if work.folds.exists():
        return _cross_validated(pipeline, fit, spec, work, schema, parts)
    features, target, weights = parts.train.frame(), parts.train_truth, parts.train_weights
    order = np.random.default_rng(spec.seed).permutation(len(target))
    for step, share in SHARES.items() if steps else ():
        rows = np.sort(order[: max(1, len(order) // share)])
        if schema.classes and len(np.unique(target[rows])) < len(schema.classes):
            continue  # it would not know them all
        part = clone(pipeline)
        fit(part, features.iloc[rows], target[rows], None if weights is None else weights[rows])
        _report(step, values(part))
    started = time.monotonic()
    fit(pipeline, features, target, weights)
    seconds = time.monotonic() - started
    found = Objectives(values=values(pipeline), seconds=seconds)
    if steps:
        _report(_ALL, found.values)
    write_record(work.scored, found)
    return found


def _cross_validated(
    pipeline: Any, fit: Fit, spec: TrainingJobSpec, work: Workspace, schema: Schema, parts: Parts
) -> Objectives:
    """The mean over the folds that `prepare` has dealt train and validation rows to, each scored
    by a model of the others."""
    fold = np.load(work.folds, allow_pickle=False)
    rows = parts.train.below(parts.validation)
    truth = np.concatenate([parts.train_truth, parts.validation_truth])
    weights = _all_weights(parts)
    found: list[dict[str, float]] = []
    started = time.monotonic()
    for left_out in range(int(fold.max()) + 1):
        inside, outside = fold == left_out, fold != left_out
        if schema.classes and len(np.unique(truth[outside])) < len(schema.classes):
            raise UserError("a class has rows in one fold only; give more data of it")
        turn = replace(
            parts,
            train=rows.take(outside),
            train_truth=truth[outside],
            validation=rows.take(inside),
            validation_truth=truth[inside],
        )
        part = clone(pipeline)
        given = None if weights is None else weights[outside]
        fit(part, turn.train.frame(), turn.train_truth, given)
        found.append(on_validation(spec, schema, unconverted(part, spec, schema, turn), turn))
    means = {name: float(np.mean([values[name] for values in found])) for name in found[0]}
    objectives = Objectives(values=means, seconds=time.monotonic() - started)
    write_record(work.scored, objectives)
    return objectives


def _all_weights(parts: Parts) -> NDArray[Any] | None:
    if parts.train_weights is None or parts.validation_weights is None:
        return None
    return np.concatenate([parts.train_weights, parts.validation_weights])


def _report(step: int, values: dict[str, float]) -> None:
    """A line of the file contract; with a pruner there is one objective."""
    value = next(iter(values.values()))
    sys.stdout.write(json.dumps({"pawl": "report", "step": step, "value": value}) + "\n")
    sys.stdout.flush()
