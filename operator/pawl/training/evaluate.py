"""Judging the artifact that will be served: metrics, a dummy beside it, and the gates.

The test rows are scored once; everything here is computed from these answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.evaluation import Evaluation
from pawl.api.metrics import DEFAULT_METRICS
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import (
    Disagreement,
    GateResult,
    Metrics,
    RunConfig,
    StoreRef,
    Task,
)
from pawl.errors import IntegrityError, PawlError, UserError
from pawl.stats.metrics import Answers, Floats, Truth, UndefinedMetricError, compute
from pawl.training import champion as champions
from pawl.training import gates, log
from pawl.training.artifact import Served
from pawl.training.engines import answers
from pawl.training.gates import Rival
from pawl.training.parts import Parts
from pawl.training.workspace import Schema, Workspace

#: How far a row of float32 probabilities may be from a sum of 1.
_SLACK = 1e-3


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came out of it."""

    metrics: Metrics
    test_answers: Answers
    gates: tuple[GateResult, ...]
    warnings: tuple[str, ...]
    disagreement: Disagreement | None = None


def judge(
    config: RunConfig,
    spec: TrainingJobSpec,
    work: Workspace,
    schema: Schema,
    parts: Parts,
    served: Served,
) -> Judgement:
    """Computes the metrics and decides every gate. A failed gate is a verdict, not an error."""
    task = schema.task
    cut = served.choice.threshold
    test = answers(_sound(served.engine.scores(parts.test), "test"), task, cut)
    validation = answers(_sound(served.engine.scores(parts.validation), "validation"), task, cut)
    ignorant = dummy_answers(task, parts.train_truth, len(schema.classes), len(parts.test_truth))
    names = metric_names(spec.evaluation, task)
    values, warnings = _values(names, parts.test_truth, test)
    metrics = Metrics(
        rows=len(parts.test_truth),
        values=values,
        dummy=_values(names, parts.test_truth, ignorant)[0],
        validation=_values(names, parts.validation_truth, validation)[0],
    )
    decided = [
        gates.bound(gate, parts.test_truth, test, spec.seed)
        for gate in spec.evaluation.gates
        if gate.champion is None
    ]
    differ: Disagreement | None = None
    if config.champion is None:
        rival = Rival(parts.test_truth, test, ignorant)
        decided.insert(0, gates.dummy(task, names, rival, spec.seed))
    else:
        rival_or_error = _rival(config, config.champion, work, schema, parts, test)
        decided += _champion_gates(spec, config.champion.name, rival_or_error)
        differ = _disagreement(config.champion, rival_or_error)
    return Judgement(metrics, test, tuple(decided), tuple(warnings), differ)


def _sound(scores: Floats, part: str) -> Floats:
    """UserError unless every row got a number, and probabilities are some."""
    rows = scores.reshape(len(scores), -1)
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise UserError(
            f"the model gives no number for {int(wrong.sum()):,} of {len(rows):,} {part} rows: "
            "does it take missing values?",
            reason="ModelUnsound",
        )
    if scores.ndim == 2 and (
        scores.min() < -_SLACK
        or scores.max() > 1 + _SLACK
        or np.abs(scores.sum(axis=1) - 1).max() > _SLACK
    ):
        raise UserError(
            "the model's probabilities are not between 0 and 1 with sum 1: does it give logits?",
            reason="ModelUnsound",
        )
    return scores


def metric_names(evaluation: Evaluation, task: Task) -> tuple[str, ...]:
    """The metrics asked for (else the usual ones), then those that gates name."""
    asked = evaluation.metrics or DEFAULT_METRICS[task]
    return tuple(dict.fromkeys((*asked, *(gate.metric for gate in evaluation.gates))))


def dummy_answers(task: Task, train_truth: NDArray[Any], classes: int, n: int) -> Answers:
    """A model that ignores the features: the class shares of the training rows, or their mean."""
    if task == "regression":
        return Answers(values=np.full(n, float(np.mean(train_truth))))
    shares = np.bincount(train_truth, minlength=classes) / len(train_truth)
    labels = np.full(n, int(np.argmax(shares)), dtype=np.int64)
    return Answers(labels=labels, scores=np.tile(shares, (n, 1)))


def _values(
    names: tuple[str, ...], truth: Truth, said: Answers
) -> tuple[dict[str, float], list[str]]:
    """The metrics that exist on these rows, and a sentence for each that does not."""
    values, missing = {}, []
    for name in names:
        try:
            values[name] = compute(name, truth, said)
        except UndefinedMetricError as error:
            missing.append(f"{name} is not defined on the test rows: {error}")
    return values, missing


def _champion_gates(spec: TrainingJobSpec, name: str, rival: Rival | PawlError) -> list[GateResult]:
    """Every champion gate, on one scoring of the champion."""
    wanted = [(gate, gate.champion) for gate in spec.evaluation.gates if gate.champion is not None]
    if isinstance(rival, PawlError):
        return [gates.not_comparable(gate, limits, rival) for gate, limits in wanted]
    return [gates.champion(gate, limits, rival, name, spec.seed) for gate, limits in wanted]


def _disagreement(champion: StoreRef, rival: Rival | PawlError) -> Disagreement | None:
    if isinstance(rival, PawlError) or rival.candidate.labels is None or not len(rival.truth):
        return None
    if rival.rival.labels is None:
        return None
    differ = int(np.count_nonzero(rival.candidate.labels != rival.rival.labels))
    rows = len(rival.truth)
    return Disagreement(
        version=champion.name, digest=champion.digest, rows=rows, share=differ / rows
    )


def _rival(
    config: RunConfig,
    champion: StoreRef,
    work: Workspace,
    schema: Schema,
    parts: Parts,
    test: Answers,
) -> Rival | PawlError:
    """The champion's answers, or why there are none."""
    log.info("comparing with the champion", champion=champion.name)
    try:
        loaded = champions.load(champion, config, work.root / "champion")
        unseen = champions.unseen_rows(loaded, parts.test_table)
        rows = parts.test_table.filter(pa.array(unseen))
        rival = champions.answer(loaded, rows, schema)
    except FileNotFoundError:
        return UserError(f"the bundle of {champion.name} is not in the store")
    except (UserError, IntegrityError) as error:
        return error
    return Rival(
        truth=parts.test_truth[unseen],
        candidate=test.take(unseen),
        rival=rival,
        left_out=int(np.count_nonzero(~unseen)),
    )
