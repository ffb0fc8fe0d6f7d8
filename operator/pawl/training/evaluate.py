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
from pawl.artifacts.records import Metrics, OldWindow, Task
from pawl.artifacts.runs import Disagreement, GateResult, RunConfig, StoreRef
from pawl.errors import IntegrityError, PawlError, UserError
from pawl.stats.metrics import Answers, Floats, Truth, UndefinedMetricError, compute
from pawl.training import champion as champions
from pawl.training import gate_kinds, gates, log
from pawl.training.artifact import Served
from pawl.training.champion import Champion
from pawl.training.engines import answers
from pawl.training.features import Matrix
from pawl.training.gates import Rival
from pawl.training.importance import importances
from pawl.training.parts import HeldOut, Parts
from pawl.training.slice_scores import slice_scores
from pawl.training.workspace import Prepared, Schema, Workspace

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
    prepared: Prepared,
) -> Judgement:
    """Computes the metrics and decides every gate. A failed gate is a verdict, not an error.
    The test rows of a retrain lie in the window of what was `prepared`."""
    scoring = _Scoring(schema, served)
    test, truth = scoring.answers(parts.test.features, "test"), parts.test.truth
    validation = scoring.answers(parts.validation, "validation")
    ignorant = dummy_answers(schema.task, parts.train_truth, len(schema.classes), len(truth))
    names = metric_names(spec.evaluation, schema.task)
    values, warnings = _values(names, truth, test)
    decided = [
        gate_kinds.on_rows(gate, parts.test, test, spec.seed)
        for gate in spec.evaluation.gates
        if gate.champion is None and gate.of_rows
    ]
    differ: Disagreement | None = None
    champion: Champion | PawlError | None = None
    if config.champion is None:
        rival = Rival(truth, test, ignorant)
        decided.insert(0, gates.dummy(schema.task, names, rival, spec.seed))
    else:
        champion = _champion(config, config.champion, work)
        rival_or_error = scoring.rival(champion, parts.test, test)
        decided += gate_kinds.champion(spec, config.champion.name, rival_or_error)
        differ = _disagreement(config.champion, rival_or_error)
    old = scoring.old_window(names, parts.old, champion) if parts.old is not None else None
    if (window := prepared.data.window) is not None:
        decided = [gates.of_window(result, window, old) for result in decided]
    decided += gate_kinds.of_proxies(spec, prepared.proxies)
    decided += gate_kinds.of_artifact(spec, served, work, parts.test.features)
    metrics = Metrics(
        rows=len(truth),
        values=values,
        dummy=_values(names, truth, ignorant)[0],
        validation=_values(names, parts.validation_truth, validation)[0],
        old_window=old,
        agreement=prepared.agreement,
        proxies=prepared.proxies,
        slices=slice_scores(spec, names[0], parts.test.table, truth, test),
        importance=importances(
            names[0],
            parts.validation,
            parts.validation_truth,
            lambda rows: scoring.answers(rows, "validation"),
            spec.seed,
        ),
    )
    return Judgement(metrics, test, tuple(decided), tuple(warnings), differ)


def on_validation(
    spec: TrainingJobSpec, schema: Schema, served: Served, parts: Parts
) -> dict[str, float]:
    """The objectives of a search. UserError where one is not defined."""
    said = _Scoring(schema, served).answers(parts.validation, "validation")
    names = [objective.metric for objective in spec.search.objectives] if spec.search else []
    try:
        return {name: compute(name, parts.validation_truth, said) for name in names}
    except UndefinedMetricError as error:
        raise UserError(f"an objective is not defined on the validation rows: {error}") from error


@dataclass(frozen=True, slots=True)
class _Scoring:
    """The model as it will be served, and others, on held-out rows."""

    schema: Schema
    served: Served

    def answers(self, features: Matrix, part: str) -> Answers:
        """UserError where they are none."""
        scores = _sound(self.served.engine.scores(features), part)
        return answers(scores, self.schema.task, self.served.choice.threshold)

    def rival(
        self, champion: Champion | PawlError, rows: HeldOut, said: Answers
    ) -> Rival | PawlError:
        """The champion's answers beside those that were `said`, or why there are none."""
        if isinstance(champion, PawlError):
            return champion
        try:
            unseen = champions.unseen_rows(champion, rows.table)
            other = champions.answer(champion, rows.table.filter(pa.array(unseen)), self.schema)
        except (UserError, IntegrityError) as error:
            return error
        return Rival(
            truth=rows.truth[unseen],
            candidate=said.take(unseen),
            rival=other,
            left_out=int(np.count_nonzero(~unseen)),
            table=rows.table.filter(pa.array(unseen)),
        )

    def old_window(
        self, names: tuple[str, ...], rows: HeldOut, champion: Champion | PawlError | None
    ) -> OldWindow:
        """Scores on the rows that the champion was not trained on either, of both; on all of them
        where it cannot be scored."""
        said = self.answers(rows.features, "old")
        rival = self.rival(champion, rows, said) if champion is not None else None
        if not isinstance(rival, Rival) or not len(rival.truth):
            return OldWindow(rows=len(rows.truth), values=_values(names, rows.truth, said)[0])
        return OldWindow(
            rows=len(rival.truth),
            values=_values(names, rival.truth, rival.candidate)[0],
            champion=_values(names, rival.truth, rival.rival)[0],
        )


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
    gated = (gate.metric for gate in evaluation.gates if gate.metric is not None)
    return tuple(dict.fromkeys((*asked, *gated)))


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


def _champion(config: RunConfig, reference: StoreRef, work: Workspace) -> Champion | PawlError:
    """The champion, or why it cannot be scored."""
    log.info("comparing with the champion", champion=reference.name)
    try:
        return champions.load(reference, config, work.root / "champion")
    except FileNotFoundError:
        return UserError(f"the bundle of {reference.name} is not in the store")
    except (UserError, IntegrityError) as error:
        return error
