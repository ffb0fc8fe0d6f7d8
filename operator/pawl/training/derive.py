"""`data.derived`: features that are computed from the columns of their row.

The expressions are evaluated by `pawl.expressions`, here as in the server; their statistics come
from the training rows only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.api.data import Data
from pawl.artifacts.derivation import Definition, Derivation, Input
from pawl.errors import DataError
from pawl.expressions import ExpressionError, Kind
from pawl.expressions.program import Program
from pawl.training.features import as_numbers, as_texts
from pawl.training.workspace import Feature

_KINDS: dict[str, Kind] = {"numeric": "number", "boolean": "boolean", "categorical": "text"}


def compiled(table: pa.Table, data: Data) -> Program:
    """The definitions of the recipe, typed by the columns of the data. DataError names the one
    that does not fit."""
    texts = [(one.name, one.expression) for one in data.derived]
    try:
        return Program.compile(texts, _kinds(table), {})
    except ExpressionError as error:
        raise DataError(f"data.derived: {error}", reason="InvalidExpression") from error


def holds(table: pa.Table, expression: str, field: str) -> NDArray[np.bool_]:
    """For which rows an expression is true. DataError, which names the `field`, when it is no
    boolean of the columns."""
    try:
        program = Program.compile([(field, expression)], _kinds(table), {}).require_fitted()
    except ExpressionError as error:
        raise DataError(str(error), reason="InvalidExpression") from error
    if program.kinds[field] != "boolean":
        raise DataError(f"{field}: a boolean is wanted, not a {program.kinds[field]}")
    columns = _columns(table, program.inputs)
    return np.asarray(program.run(columns, table.num_rows)[field] == 1)


def fitted(program: Program, table: pa.Table, rows: NDArray[np.bool_]) -> Program:
    """The program with its statistics, over `rows` (a mask). DataError when there are none."""
    names = program.inputs.keys() | (program.fits - program.kinds.keys())
    kinds = {name: _kind(table.schema.field(name).type) or "number" for name in names}
    try:
        return program.fit(_columns(table, kinds), table.num_rows, rows)
    except ExpressionError as error:
        raise DataError(f"data.derived: {error}", reason="InvalidExpression") from error


def derived(table: pa.Table, program: Program) -> pa.Table:
    """`table` with what is defined as columns at its end, in the place of others of these names."""
    values = program.run(_columns(table, program.inputs), table.num_rows)
    taken = [name for name in table.column_names if name in values]
    table = table.drop_columns(taken) if taken else table
    for name, kind in program.kinds.items():
        table = table.append_column(name, _column(values[name], kind))
    return table


def derivation(program: Program, data: Data, features: Iterable[Feature]) -> Derivation:
    """What the server needs of a fitted program to compute the features. `inputs` are in the order
    of signatures: numbers first."""
    features = tuple(features)
    needed = program.only(feature.name for feature in features)
    kinds: dict[str, Kind] = {
        feature.name: _KINDS[feature.kind]
        for feature in features
        if feature.name not in program.kinds
    }
    inputs = [Input(name=name, kind=kind) for name, kind in (kinds | dict(needed.inputs)).items()]
    inputs.sort(key=lambda one: one.kind in ("text", "time"))  # stable
    return Derivation(
        inputs=tuple(inputs),
        definitions=tuple(
            Definition(name=one.name, expression=one.expression)
            for one in data.derived
            if one.name in needed.kinds
        ),
        fitted=dict(needed.fitted),
    )


def apply(table: pa.Table, done: Derivation) -> pa.Table:
    """What another training derived, of these rows. DataError when the table lacks a column."""
    for one in done.inputs:
        found = _kind(table.schema.field(one.name).type) if one.name in table.column_names else None
        if found is None or (found == "text") != (one.kind == "text"):
            raise DataError(f'a {one.kind} "{one.name}" is needed, which the data do not have')
    return derived(table, done.program())


def _columns(table: pa.Table, kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name, kind in kinds.items():
        column = table.column(name)
        if kind == "time":
            micros = pc.cast(column, pa.int64())
            there = np.asarray(pc.fill_null(micros, 0).to_numpy()).view("datetime64[us]")
            gone = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
            columns[name] = np.where(gone, np.datetime64("NaT", "us"), there)
        elif kind == "text":
            columns[name] = as_texts(column, name)
        else:
            columns[name] = np.ascontiguousarray(as_numbers(column, name))
    return columns


def _column(values: NDArray[Any], kind: Kind) -> Any:
    if kind == "text":
        return pa.array(values, type=pa.string(), mask=np.asarray(values == ""))
    if kind == "time":
        return pa.array(values).cast(pa.timestamp("us", tz="UTC"))
    gone = np.isnan(values)
    if kind == "boolean":
        return pa.array(values == 1, mask=gone)
    return pa.array(values, mask=gone)


def _kinds(table: pa.Table) -> dict[str, Kind]:
    """Of the columns that an expression can use."""
    return {one.name: kind for one in table.schema if (kind := _kind(one.type)) is not None}


def _kind(kind: Any) -> Kind | None:
    types = pa.types
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind):
        return "number"
    if types.is_timestamp(kind):
        return "time"
    return "text" if types.is_string(kind) else None
