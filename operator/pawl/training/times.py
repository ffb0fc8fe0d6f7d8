"""When rows happened: `data.timeColumn` as microseconds since 1970 (UTC), and back as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.errors import DataError
from pawl.training.tables import missing_mask

Moments = NDArray[np.int64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times(table: pa.Table, column: str) -> NDArray[Any]:
    """What rows are ordered by: microseconds, or numbers as they are. DataError when a row has
    none, or they are no times."""
    refuse_missing(table, column, "data.timeColumn")
    values = table.column(column)
    if pa.types.is_string(values.type):
        values = _parsed(values, column)
    if pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.int64())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise DataError(f'column "{column}" (data.timeColumn) holds no times: {values.type}')
    return np.asarray(values.to_numpy())


def are_moments(table: pa.Table, column: str) -> bool:
    """Whether `times` gives microseconds. Of numbers the unit is not known."""
    kind = table.column(column).type
    return bool(pa.types.is_timestamp(kind) or pa.types.is_string(kind))


def newest(table: pa.Table, column: str | None, now: int) -> str | None:
    """The latest time that is not after `now`; None when that cannot be told."""
    if column is None or not are_moments(table, column):
        return None
    some = table.select([column]).filter(pa.array(~missing_mask(table.column(column))))
    try:
        moments = times(some, column)
    except DataError:
        return None  # it need not hold times unless the split goes by them
    past = moments[moments <= now]
    return written(int(past.max())) if len(past) else None


def read(text: str) -> int:
    """ISO 8601 with a zone -> microseconds."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - _EPOCH) // timedelta(
        microseconds=1
    )


def written(moment: int) -> str:
    """Inverse of `read`. What is before the year 1 is written as that."""
    least = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    when = _EPOCH + timedelta(microseconds=max(moment, least))
    return when.isoformat().replace("+00:00", "Z")


def refuse_missing(table: pa.Table, column: str, field: str) -> None:
    """DataError when a row has no value."""
    missing = np.flatnonzero(missing_mask(table.column(column)))
    if len(missing):
        raise DataError(
            f'column "{column}" ({field}) is missing in {len(missing):,} rows, '
            f"the first is row {missing[0] + 1}"
        )


def _parsed(values: Any, column: str) -> Any:
    """With a zone or, all of them, without one."""
    try:
        return pc.cast(values, pa.timestamp("us", tz="UTC"))
    except pa.ArrowInvalid:
        pass
    try:
        return pc.cast(values, pa.timestamp("us"))
    except pa.ArrowInvalid as error:
        raise DataError(
            f'column "{column}" (data.timeColumn) holds texts that are no ISO 8601 times'
        ) from error
