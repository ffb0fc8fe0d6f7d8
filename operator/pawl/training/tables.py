"""Reading csv, parquet and JSON lines into one table with few kinds of columns.

The result holds booleans, numbers (int64 or double), strings and timestamps (UTC, µs); everything
else is turned into one of these, or into a column of strings where files disagree. Row numbers
count data rows from 1, over all files in the order of their names.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.artifacts.retry import describe
from pawl.errors import DataError
from pawl.training.source import SourceFile

_BLOCK = 32 << 20  # csv types are inferred from the first block
_COLUMN = re.compile(r"In CSV column #(\d+): .*?conversion error to (\w+)")
TIMESTAMP = pa.timestamp("us", tz="UTC")


def read_table(files: list[SourceFile], text_columns: frozenset[str]) -> pa.Table:
    """All rows of all files. `text_columns` are read as text whatever they look like, so that an
    identifier is hashed alike when a later file has letters in it."""
    tables = [normalise(_read(file, text_columns), file.name) for file in files]
    table = tables[0] if len(tables) == 1 else _concatenate(tables, files)
    table = _as_text(table, text_columns)
    if table.num_rows == 0:
        raise DataError("the data have no rows", reason="DataEmpty")
    return table.combine_chunks()


def _read(file: SourceFile, text_columns: frozenset[str]) -> pa.Table:
    try:
        if file.format == "parquet":
            import pyarrow.parquet as pq  # noqa: PLC0415

            return pq.read_table(file.path)
        if file.format == "jsonl":
            return _read_jsonl(file)
        return _read_csv(file, {name: pa.string() for name in text_columns})
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file.name} is not readable as {file.format}: {describe(error)}"
        ) from error


def _stream(file: SourceFile) -> Any:
    return pa.input_stream(str(file.path), compression="gzip" if file.gzip else None)


def _read_jsonl(file: SourceFile) -> pa.Table:
    import pyarrow.json as pj  # noqa: PLC0415

    with _stream(file) as stream:
        return pj.read_json(stream, read_options=pj.ReadOptions(block_size=_BLOCK))


def _read_csv(file: SourceFile, types: dict[str, Any]) -> pa.Table:
    """Reads again with a wider type when a value further down does not fit the inferred one."""
    import pyarrow.csv as pv  # noqa: PLC0415

    while True:
        try:
            with _stream(file) as stream:
                return pv.read_csv(
                    stream,
                    read_options=pv.ReadOptions(block_size=_BLOCK),
                    convert_options=pv.ConvertOptions(column_types=types),
                )
        except pa.ArrowInvalid as error:
            found = _COLUMN.search(str(error))
            if found is None:
                raise
            with _stream(file) as stream, pv.open_csv(stream) as head:
                name = head.schema.names[int(found.group(1))]
            wider = pa.float64() if found.group(2) == "int64" else pa.string()
            if types.get(name) == pa.string():
                raise
            types = {**types, name: wider}


def normalise(table: pa.Table, name: str) -> pa.Table:
    """`table` with every column as one of the few kinds."""
    if len(set(table.column_names)) != table.num_columns:
        twice = sorted({c for c in table.column_names if table.column_names.count(c) > 1})
        raise DataError(f"{name}: column {twice[0]} occurs twice")
    for index, field in enumerate(table.schema):
        kind = _kind(field.type)
        if kind is not None and kind != field.type:
            column = pc.cast(table.column(index), kind, safe=False)
            table = table.set_column(index, field.name, column)
    return table.replace_schema_metadata(None)


def _kind(kind: Any) -> Any | None:
    """The type that `kind` is turned into; None leaves it (it is then refused as a feature)."""
    types = pa.types
    for test, target in (
        (types.is_boolean, pa.bool_()),
        (types.is_uint64, pa.float64()),
        (types.is_integer, pa.int64()),
        (types.is_floating, pa.float64()),
        (types.is_decimal, pa.float64()),
        (types.is_string, pa.string()),
        (types.is_large_string, pa.string()),
        (types.is_string_view, pa.string()),
        (types.is_timestamp, TIMESTAMP),
        (types.is_date, TIMESTAMP),
        (types.is_null, pa.null()),
    ):
        if test(kind):
            return target
    return _kind(kind.value_type) if types.is_dictionary(kind) else None


def _concatenate(tables: list[pa.Table], files: list[SourceFile]) -> pa.Table:
    """Stacks the tables. A column that a file lacks is an error; one that is a number here and text
    there becomes text."""
    names = tables[0].column_names
    for table, file in zip(tables, files, strict=True):
        for name in sorted(set(names) ^ set(table.column_names)):
            where = file.name if name not in table.column_names else files[0].name
            raise DataError(f"column {name} is missing in {where}")
    unified = []
    for name in names:
        kinds = {table.schema.field(name).type for table in tables} - {pa.null()}
        unified.append(pa.field(name, _common(kinds)))
    schema = pa.schema(unified)
    return pa.concat_tables([_cast_to(table.select(names), schema) for table in tables])


def _common(kinds: set[Any]) -> Any:
    if not kinds:
        return pa.null()
    if len(kinds) == 1:
        return next(iter(kinds))
    return pa.float64() if kinds == {pa.int64(), pa.float64()} else pa.string()


def _cast_to(table: pa.Table, schema: Any) -> pa.Table:
    columns = [
        pc.cast(column, field.type, safe=False) if column.type != field.type else column
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _as_text(table: pa.Table, names: frozenset[str]) -> pa.Table:
    for index, field in enumerate(table.schema):
        if field.name in names and field.type != pa.string():
            table = table.set_column(index, field.name, text(table.column(index)))
    return table


def text(column: Any) -> Any:
    """A column as strings; whole numbers without a decimal point, also when stored as doubles."""
    if column.type == pa.float64() and _whole(column):
        column = pc.cast(column, pa.int64())
    if column.type == TIMESTAMP:
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    return pc.cast(column, pa.string())


def missing_mask(column: Any) -> NDArray[np.bool_]:
    """Rows without a value: null, NaN or an empty text."""
    mask = np.asarray(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))
    if pa.types.is_string(column.type):
        mask = mask | np.asarray(pc.fill_null(pc.equal(column, ""), False))
    return mask.astype(bool)


def _whole(column: Any) -> bool:
    finite = pc.all(pc.is_finite(column)).as_py()
    return finite is not False and bool(
        pc.all(pc.equal(pc.floor(column), column)).as_py() is not False
    )
