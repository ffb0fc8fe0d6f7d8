"""Which part a row belongs to: train, validation or test.

hash, group: a pure function of the row's identity (or its group) and the model's name. Adding,
removing or reordering other rows moves none, so a row that was ever a test row of a model is one
for every later version.
time: the newest rows are the test rows, those before them the validation rows; rows of the same
time stay together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.api.data import Data
from pawl.errors import DataError
from pawl.training.checks import missing_mask
from pawl.training.rowhash import row_hashes, salted, unit_interval

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
Parts = NDArray[np.int8]


def split(table: pa.Table, data: Data, row_columns: tuple[str, ...], model: str) -> Parts:
    """The part of every row. DataError when a part would be empty."""
    if data.split.strategy == "time":
        parts = _by_time(table, str(data.time_column), data.split.test, data.split.validation)
    else:
        columns = row_columns
        if data.split.strategy == "group":
            columns = (str(data.group_column),)
            _refuse_missing(table, columns[0], "data.groupColumn")
        where = unit_interval(salted(row_hashes(table, columns), model))
        parts = by_hash(where, data.split.test, data.split.validation)
    sizes = np.bincount(parts, minlength=3)
    if sizes.min() == 0:
        listed = ", ".join(f"{name} {size}" for name, size in zip(PARTS, sizes, strict=True))
        raise DataError(
            f"{len(parts)} rows are too few to split by {data.split.strategy} ({listed}); "
            "give more data or other shares in data.split",
            reason="TooFewRows",
        )
    return parts


def by_hash(where: NDArray[np.float64], test: float, validation: float) -> Parts:
    """[0, test) is test, [test, test + validation) is validation, the rest is train."""
    parts = np.full(len(where), TRAIN, dtype=np.int8)
    parts[where < test + validation] = VALIDATION
    parts[where < test] = TEST
    return parts


def _by_time(table: pa.Table, column: str, test: float, validation: float) -> Parts:
    times = _times(table, column)
    ordered = np.sort(times)
    n = len(times)
    first_test = ordered[min(n - 1, round(n * (1 - test)))]
    first_validation = ordered[min(n - 1, round(n * (1 - test - validation)))]
    parts = np.full(n, TRAIN, dtype=np.int8)
    parts[times >= first_validation] = VALIDATION
    parts[times >= first_test] = TEST
    return parts


def _times(table: pa.Table, column: str) -> NDArray[Any]:
    _refuse_missing(table, column, "data.timeColumn")
    values = table.column(column)
    if pa.types.is_string(values.type):
        try:
            values = pc.cast(values, pa.timestamp("us"))
        except pa.ArrowInvalid as error:
            raise DataError(
                f'column "{column}" (data.timeColumn) holds texts that are no ISO 8601 times'
            ) from error
    if pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.int64())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise DataError(f'column "{column}" (data.timeColumn) holds no times: {values.type}')
    return np.asarray(values.to_numpy())


def _refuse_missing(table: pa.Table, column: str, field: str) -> None:
    missing = np.flatnonzero(missing_mask(table.column(column)))
    if len(missing):
        raise DataError(
            f'column "{column}" ({field}) is missing in {len(missing):,} rows, '
            f"the first is row {missing[0] + 1}"
        )
