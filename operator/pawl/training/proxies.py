"""Do the features give a sensitive column away? Leaving it out does not blind a model that can work
it out.

Ridge regression from the features to the column, cross-validated: the rows are dealt to five folds
in turn, and each is predicted by what was fitted on the other four. Numeric features count
themselves and, where that is not too many columns, by the tenth of the rows they are in, so that
what is neither rising nor falling is found too; of texts the frequent values. What two features
give away only together is not.

    texts, flags, few numbers   AUC of each value (the most frequent twenty) against the rest, with
                                DeLong's 95 % interval; the value that is predicted best is told
    numbers                     R², with the interval of a bootstrap

At most `MOST_ROWS` rows of the train part are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.artifacts.records import Proxy
from pawl.stats.intervals import Estimate, metric_interval
from pawl.stats.metrics import Answers, Floats, UndefinedMetricError
from pawl.training.features import Matrix, as_numbers
from pawl.training.gate_slices import MISSING, values_of

MOST_ROWS = 20_000
#: A warning is given above this AUC, or R².
LIMITS = {"roc_auc": 0.80, "r2": 0.50}
_FOLDS = 5
_LEAST_ROWS = 80
_MOST_VALUES = 20
_MOST_ONE_HOT = 30
_BINS = 10
_MOST_BINNED = 300
_RIDGE = 1e-3


def find(features: Matrix, table: pa.Table, sensitive: tuple[str, ...]) -> tuple[Proxy, ...]:
    """How well each sensitive column of `table` is predicted from the features of its rows; those
    that cannot be judged are left out."""
    if not sensitive or len(features) < _LEAST_ROWS:
        return ()
    folds = _Folds(_design(features))
    found = (_of_column(folds, table, name) for name in sensitive)
    return tuple(proxy for proxy in found if proxy is not None)


def warnings(proxies: tuple[Proxy, ...]) -> tuple[str, ...]:
    """A sentence for each that is predicted well."""
    return tuple(
        f'sensitive column "{proxy.column}" can be predicted from the features ({told(proxy)}): '
        "leaving it out does not make the model blind to it"
        for proxy in proxies
        if proxy.estimate > LIMITS[proxy.measure]
    )


def told(proxy: Proxy) -> str:
    """The measure with its interval."""
    low, high = proxy.interval
    name = "R²" if proxy.measure == "r2" else f"AUC of {proxy.value}"
    interval = f"95 % interval {low:.2f} to {high:.2f}"
    return f"{name} {proxy.estimate:.2f}, {interval}, {proxy.rows:,} rows"


class _Folds:
    """Ridge regressions on a design, each row predicted without its fold."""

    def __init__(self, design: Floats) -> None:
        self._design = design
        self._fold = np.arange(len(design)) % _FOLDS
        whole = design.T @ design
        self._grams = []
        for fold in range(_FOLDS):
            part = design[self._fold == fold]
            rows = len(design) - len(part)
            self._grams.append(whole - part.T @ part + np.eye(len(whole)) * _RIDGE * rows)

    def predict(self, target: Floats) -> Floats:
        """Of every row."""
        found = np.empty(len(target))
        for fold, gram in enumerate(self._grams):
            inside = self._fold == fold
            moment = self._design[~inside].T @ target[~inside]
            found[inside] = self._design[inside] @ np.linalg.solve(gram, moment)
        return found


def _of_column(folds: _Folds, table: pa.Table, name: str) -> Proxy | None:
    column = table.column(name)
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if number and pc.count_distinct(column).as_py() > _MOST_VALUES:
        return _of_number(folds, as_numbers(column, name), name)
    candidates = list(_of_values(folds, values_of(table, name), name))
    return max(candidates, key=lambda proxy: proxy.estimate, default=None)


def _of_number(folds: _Folds, values: Floats, name: str) -> Proxy | None:
    known = ~np.isnan(values)
    middle = float(values[known].mean()) if known.any() else 0.0
    said = folds.predict(np.where(known, values, middle) - middle) + middle
    try:
        found = metric_interval("r2", values[known], Answers(values=said[known]), seed=0)
    except UndefinedMetricError:
        return None
    return _proxy(name, "r2", None, found)


def _of_values(folds: _Folds, values: NDArray[Any], name: str) -> Iterator[Proxy]:
    names, counts = np.unique(values, return_counts=True)
    for value in names[np.argsort(-counts, kind="stable")[:_MOST_VALUES]].tolist():
        truth = (values == value).astype(np.int64)
        if value == MISSING or truth.all():
            continue
        said = folds.predict(truth.astype(np.float64))
        answers = Answers(scores=np.column_stack([1 - said, said]))
        try:
            yield _proxy(name, "roc_auc", value, metric_interval("roc_auc", truth, answers, seed=0))
        except UndefinedMetricError:
            continue  # one row has it


def _proxy(column: str, measure: Any, value: str | None, found: Estimate) -> Proxy:
    return Proxy(
        column=column,
        measure=measure,
        value=value,
        estimate=found.value,
        interval=(found.lower, found.upper),
        rows=found.n,
    )


def _design(features: Matrix) -> Floats:
    """A constant, standardised numbers (missing at the mean) and their tenths, frequent texts."""
    n = len(features)
    columns = [np.ones((n, 1))]
    numbers = features.numeric
    if numbers.shape[1]:
        columns.append(_standardised(numbers))
        if numbers.shape[1] * _BINS <= _MOST_BINNED:
            columns += [_tenths(column) for column in numbers.T]
    for column in features.categorical.T:
        texts = column.astype(str)
        names, counts = np.unique(texts, return_counts=True)
        frequent = names[np.argsort(-counts, kind="stable")[:_MOST_ONE_HOT]]
        columns.append((texts[:, None] == frequent[None, :]).astype(np.float64))
    return np.hstack(columns)


def _standardised(numbers: Floats) -> Floats:
    missing = np.isnan(numbers)
    mean = np.where(missing, 0.0, numbers).sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    centred = np.where(missing, mean, numbers) - mean
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0), dtype=np.float64)


def _tenths(column: Floats) -> Floats:
    """Which tenth a value is in; a missing one in none."""
    known = column[~np.isnan(column)]
    if not len(known):
        return np.empty((len(column), 0))
    edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS))
    place = np.where(np.isnan(column), -1, np.searchsorted(edges, column))
    inside: NDArray[np.bool_] = place[:, None] == np.arange(len(edges) + 1)
    return inside.astype(np.float64)
