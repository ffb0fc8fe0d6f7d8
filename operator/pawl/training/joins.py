"""Joins of `data.sources`: each row gets the columns of the one row with its key, or none; with
`asOf` of the one that held at its time (`asof`).

Keys are compared as texts, row order is kept, and a row whose key is missing has no match. A key
that occurs twice in a source is refused: it would multiply rows, and with them what is learnt of
them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.data import Source
from pawl.errors import DataError
from pawl.training import asof
from pawl.training.tables import missing_mask, text

Rows = NDArray[np.int64]
#: Beside the columns: which rows have a match.
FOUND = "__pawl_found__"


def join(
    table: pa.Table, other: pa.Table, source: Source, time: str | None = None
) -> tuple[pa.Table, str | None]:
    """`table`, whose rows happened at `time`, with the columns of `other`, and a warning where rows
    had no match. DataError when a column is not there or twice there, a key is repeated, or nothing
    matches at all."""
    return append(table, columns(table, other, source, time), source)


def columns(table: pa.Table, other: pa.Table, source: Source, time: str | None) -> pa.Table:
    """What the rows of `table` get, row by row, and in `FOUND` which have a match."""
    for name in source.key:
        _require(table, name, "the rows of data.uri", source)
        _require(other, name, "the source", source)
    apart = {*source.key, *([source.as_of.time] if source.as_of else [])}
    wanted = source.columns or tuple(c for c in other.column_names if c not in apart)
    for name in wanted:
        _require(other, name, "the source", source)
    if source.as_of is not None and time is not None:
        keys = [_keys(one, source.key) for one in (table, other)]
        at = asof.matches(table, keys[0], time, other, keys[1], source.as_of)
    else:
        at = _matches(table, other, source)
    found = at >= 0
    taken = pa.array(np.where(found, at, 0), mask=~found)
    made = {name: other.column(name).take(taken).combine_chunks() for name in wanted}
    return pa.table(made | {FOUND: pa.array(found)})


def append(table: pa.Table, made: pa.Table, source: Source) -> tuple[pa.Table, str | None]:
    """`table` with what `columns` gave, and the warning of `join`."""
    found = np.asarray(made.column(FOUND).to_numpy())
    if not found.any():
        raise _error(source, f"no row has a match by {', '.join(source.key)}", "JoinEmpty")
    for name in made.drop_columns([FOUND]).column_names:
        if name in table.column_names:
            raise _error(source, f'column "{name}" is there already; leave it out of columns')
        table = table.append_column(name, made.column(name))
    missed = int((~found).sum())
    if missed == 0:
        return table, None
    fate = "their columns are missing" if source.how == "left" else "they were left out"
    warning = f"{missed:,} of {len(found):,} rows have no match in source {source.name}; {fate}"
    return (table if source.how == "left" else table.filter(pa.array(found))), warning


def _matches(table: pa.Table, other: pa.Table, source: Source) -> Rows:
    """For each row of `table` the row of `other` with its key, or -1."""
    theirs, there = _keys(other, source.key)
    kept = np.flatnonzero(there)
    index = pd.MultiIndex.from_arrays([column[kept] for column in theirs])
    repeated = index.duplicated(keep=False)
    if repeated.any():
        rows = kept[np.flatnonzero(repeated)]
        key = tuple(str(column[rows[0]]) for column in theirs)
        same = [row for row in rows if tuple(str(c[row]) for c in theirs) == key]
        raise _error(
            source,
            f"the key {' / '.join(key)[:80]} occurs {len(same):,} times (rows "
            f"{same[0] + 1}, {same[1] + 1}{', …' if len(same) > 2 else ''}), and so do "
            f"{len(set(index[repeated])) - 1:,} others; a join needs one row a key ({_on(source)})",
            "JoinKeyRepeated",
        )
    ours, here = _keys(table, source.key)
    at = np.where(here, index.get_indexer(pd.MultiIndex.from_arrays(ours)), -1)
    return np.where(at >= 0, kept[at], -1) if len(kept) else np.full(len(at), -1)


def _keys(
    table: pa.Table, names: Sequence[str]
) -> tuple[list[NDArray[np.object_]], NDArray[np.bool_]]:
    """The key columns as texts, and which rows have all of them."""
    columns = [table.column(name) for name in names]
    texts = [np.asarray(text(c).to_numpy(zero_copy_only=False), dtype=object) for c in columns]
    missing = np.logical_or.reduce([missing_mask(column) for column in columns])
    return [np.where(missing, "", column) for column in texts], ~missing


def _on(source: Source) -> str:
    return ", ".join(source.key)


def _require(table: pa.Table, name: str, where: str, source: Source) -> None:
    if name not in table.column_names:
        listed = ", ".join(table.column_names[:20]) + (", …" if table.num_columns > 20 else "")
        text_ = f'column "{name}" is not in {where}; there are: {listed}'
        raise _error(source, text_, "ColumnNotFound")


def _error(source: Source, text_: str, reason: str = "JoinRefused") -> DataError:
    return DataError(f"data.sources {source.name}: {text_}", reason=reason)
