"""Scores of slices for the model card: the first metric on the test rows of each value of a column,
with its 95 % interval, and of binary models the share of positive answers.

Of the sensitive columns, and of those that gates with slices name. Nothing is decided here, and
nothing is corrected for how many slices are looked at: gates do both.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import SliceScore
from pawl.stats.intervals import metric_interval
from pawl.stats.metrics import Answers, Truth, UndefinedMetricError
from pawl.training.gate_slices import values_of

#: Slices with fewer rows are not scored, columns with more values not looked at.
FEWEST, MOST_VALUES = 30, 20


def slice_scores(
    spec: TrainingJobSpec, metric: str, table: pa.Table, truth: Truth, said: Answers
) -> tuple[SliceScore, ...]:
    """In the order of the columns, then of their values."""
    gates = (gate.slice.column for gate in spec.evaluation.gates if gate.slice is not None)
    columns = dict.fromkeys((*spec.data.sensitive, *gates))
    return tuple(
        score
        for column in columns
        if column in table.column_names
        for score in _of(column, metric, table, truth, said, spec.seed)
    )


def _of(
    column: str, metric: str, table: pa.Table, truth: Truth, said: Answers, seed: int
) -> Iterator[SliceScore]:
    values = values_of(table, column)
    names = sorted(set(values.tolist()))
    if len(names) > MOST_VALUES:
        return
    for name in names:
        rows = values == name
        if (count := int(np.count_nonzero(rows))) < FEWEST:
            yield SliceScore(column=column, value=name, rows=count, metric=metric)
            continue
        here = said.take(rows)
        positive = None
        if here.scores is not None and here.labels is not None and here.scores.shape[1] == 2:
            positive = float(np.mean(here.labels == 1))
        try:
            found = metric_interval(metric, truth[rows], here, seed=seed)
        except UndefinedMetricError:
            yield SliceScore(
                column=column, value=name, rows=count, metric=metric, positive=positive
            )
            continue
        yield SliceScore(
            column=column,
            value=name,
            rows=count,
            metric=metric,
            score=found.value,
            interval=(found.lower, found.upper),
            positive=positive,
        )
