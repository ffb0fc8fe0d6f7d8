"""The functions of `data.prepare`, in order. Rows keep their order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from pawl.api.preparation import ByColumns, StepFunction
from pawl.errors import DataError
from pawl.training import derive, log
from pawl.training.rowhash import row_hashes
from pawl.training.tables import missing_mask


def run(table: pa.Table, functions: Iterable[StepFunction]) -> pa.Table:
    """DataError when a function does not fit the columns, or no row is left."""
    for number, function in enumerate(functions):
        field = f"data.prepare.functions[{number}].{function.name}"
        before = table.num_rows
        table = _run(table, function, field)
        log.info("function run", function=function.name, rows=before, left=table.num_rows)
        if table.num_rows == 0:
            raise DataError(f"{field} leaves no row of {before:,}", reason="DataEmpty")
    return table


def _run(table: pa.Table, function: StepFunction, field: str) -> pa.Table:
    if function.rename is not None:
        return _renamed(table, function.rename, field)
    if function.keep is not None:
        return table.filter(pa.array(derive.holds(table, function.keep, field)))
    if function.drop_missing is not None:
        names = _named(table, function.drop_missing, field)
        gone = np.logical_or.reduce([missing_mask(table.column(name)) for name in names])
        return table.filter(pa.array(~gone))
    names = _named(table, function.drop_duplicates or ByColumns(), field)
    _, first = np.unique(row_hashes(table, tuple(names)), return_index=True)
    return table.take(pa.array(np.sort(first)))


def _named(table: pa.Table, function: ByColumns, field: str) -> list[str]:
    flat = [one.name for one in table.schema if not pa.types.is_nested(one.type)]
    names = list(function.columns) or flat
    _require(table, names, field)
    return names


def _renamed(table: pa.Table, names: dict[str, str], field: str) -> pa.Table:
    _require(table, names, field)
    renamed = [names.get(name, name) for name in table.column_names]
    if len(set(renamed)) != len(renamed):
        twice = next(name for name in renamed if renamed.count(name) > 1)
        raise DataError(f'{field}: there would be two columns "{twice}"')
    return table.rename_columns(renamed)


def _require(table: pa.Table, names: Iterable[str], field: str) -> None:
    for name in names:
        if name not in table.column_names:
            raise DataError(f'{field}: column "{name}" is not in the data', reason="ColumnNotFound")
