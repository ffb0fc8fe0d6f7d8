"""A trial of the built-in trainer: its objectives on the validation rows, and what they are on the
way there.

A pruner needs values on the way. An estimator has no steps of its own to stop at, so it is fitted
on growing shares of the training rows, as scikit-learn's successive halving does it (resource
n_samples): 1/9, 1/3, all of them, reported as steps 1, 3 and 9. The rows are shuffled by the seed,
and the smaller shares are part of the larger ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from pawl.api.trainingjob import TrainingJobSpec
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


def _report(step: int, values: dict[str, float]) -> None:
    """A line of the file contract; with a pruner there is one objective."""
    value = next(iter(values.values()))
    sys.stdout.write(json.dumps({"pawl": "report", "step": step, "value": value}) + "\n")
    sys.stdout.flush()
