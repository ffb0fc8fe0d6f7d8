"""Point-in-time joins: each row gets the newest row of its key that was there at its time.

A match is the row of the source with the same key and the greatest time that is not after the
row's own `data.timeColumn`, and not older than it by more than `maxAge`. So no row learns what was
known only later. Of several at one time the last one in the files counts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.data import AsOf
from pawl.api.duration import seconds
from pawl.errors import DataError
from pawl.training.tables import missing_mask
from pawl.training.times import Moments, are_moments, times

Rows = NDArray[np.int64]
Keys = tuple[list[NDArray[np.object_]], NDArray[np.bool_]]


def matches(
    table: pa.Table, ours: Keys, column: str, other: pa.Table, theirs: Keys, as_of: AsOf
) -> Rows:
    """For each row of `table` the row of `other`, or -1. `ours`, `theirs`: key columns, and which
    rows have all of them; `column`: the time of the rows. DataError when there are no times."""
    _require_moments(table, column, "data.timeColumn")
    _require_moments(other, as_of.time, "asOf.time")
    when = np.asarray(times(table, column), dtype=np.int64)
    kept = np.flatnonzero(theirs[1] & ~missing_mask(other.column(as_of.time)))
    then = np.asarray(times(other.take(pa.array(kept)), as_of.time), dtype=np.int64)
    both = [
        np.concatenate([mine, yours[kept]]) for mine, yours in zip(ours[0], theirs[0], strict=True)
    ]
    codes, _ = pd.MultiIndex.from_arrays(both).factorize()
    key, their_key = codes[: len(when)], codes[len(when) :]
    moments = np.unique(np.concatenate([when, then]))
    place = _place(key, when, moments)
    their_place = _place(their_key, then, moments)
    order = np.argsort(their_place, kind="stable")
    at = np.searchsorted(their_place[order], place, side="right") - 1
    found = np.where(at >= 0, order[at], -1) if len(order) else np.full(len(when), -1)
    fits = (found >= 0) & ours[1]
    fits[fits] = their_key[found[fits]] == key[fits]
    if as_of.max_age is not None:
        oldest = when[fits] - seconds(as_of.max_age) * 1_000_000
        fits[fits] = then[found[fits]] >= oldest
    return np.where(fits, kept[found] if len(kept) else -1, -1)


def _place(key: Rows, when: Moments, moments: Moments) -> Rows:
    """By key, then by time."""
    return key.astype(np.int64) * len(moments) + np.searchsorted(moments, when)


def _require_moments(table: pa.Table, column: str, field: str) -> None:
    if column not in table.column_names or not are_moments(table, column):
        raise DataError(f'column "{column}" ({field}) holds no times with a date')
