"""Which part a row belongs to: train, validation or test.

hash, group: a pure function of the row's identity (or its group) and the model's name. Adding,
removing or reordering other rows moves none, so a row that was ever a test row of a model is one
for every later version.
time: the newest rows are the test rows, those before them the validation rows; rows of the same
time stay together.
After a retrain the test rows are given (`window.py`); the others are split by hash or group, and
those that would be test rows are the old window.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.data import Data
from pawl.errors import DataError
from pawl.training.rowhash import row_hashes, salted, unit_interval
from pawl.training.times import refuse_missing, times

TRAIN, VALIDATION, TEST, OLD = 0, 1, 2, 3
PARTS = ("train", "validation", "test", "old")
Parts = NDArray[np.int8]


def split(
    table: pa.Table,
    data: Data,
    row_columns: tuple[str, ...],
    model: str,
    newest: NDArray[np.bool_] | None = None,
) -> Parts:
    """The part of every row; `newest` are the test rows of a retrain. DataError when a part other
    than the old window would be empty."""
    how: str = data.split.strategy
    if data.split.strategy == "time" and newest is None:
        parts = _by_time(table, str(data.time_column), data.split.test, data.split.validation)
    else:
        columns = row_columns
        if data.split.strategy == "group":
            columns = (str(data.group_column),)
            refuse_missing(table, columns[0], "data.groupColumn")
        where = unit_interval(salted(row_hashes(table, columns), model))
        parts = by_hash(where, data.split.test, data.split.validation)
    if newest is not None:
        how = "time and group" if data.split.strategy == "group" else "time and hash"
        parts[parts == TEST] = OLD
        parts[newest] = TEST
    sizes = np.bincount(parts, minlength=3)[:3]
    if sizes.min() == 0:
        listed = ", ".join(f"{name} {size}" for name, size in zip(PARTS, sizes, strict=False))
        raise DataError(
            f"{len(parts)} rows are too few to split by {how} ({listed}); "
            "give more data or other shares in data.split",
            reason="TooFewRows",
        )
    return parts


def folds(
    table: pa.Table, data: Data, row_columns: tuple[str, ...], model: str, count: int
) -> NDArray[np.int64]:
    """The fold of every row, 0 to count - 1, by what `split` goes by: rows of one identity, or of
    one group, are in one fold."""
    columns = row_columns
    if data.split.strategy == "group":
        columns = (str(data.group_column),)
    where = unit_interval(salted(row_hashes(table, columns), f"{model} folds"))
    return (where * count).astype(np.int64)


def by_hash(where: NDArray[np.float64], test: float, validation: float) -> Parts:
    """[0, test) is test, [test, test + validation) is validation, the rest is train."""
    parts = np.full(len(where), TRAIN, dtype=np.int8)
    parts[where < test + validation] = VALIDATION
    parts[where < test] = TEST
    return parts


def _by_time(table: pa.Table, column: str, test: float, validation: float) -> Parts:
    moments = times(table, column)
    ordered = np.sort(moments)
    n = len(moments)
    first_test = ordered[min(n - 1, round(n * (1 - test)))]
    first_validation = ordered[min(n - 1, round(n * (1 - test - validation)))]
    parts = np.full(n, TRAIN, dtype=np.int8)
    parts[moments >= first_validation] = VALIDATION
    parts[moments >= first_test] = TEST
    return parts
