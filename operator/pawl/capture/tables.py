"""A segment's lines -> an arrow table, with what it is of in its metadata.

A line is JSON. Of predictions it tells of the rows of a batch: of its requests the ids, first rows,
numbers of rows, groups and weights; of the rows what was predicted, and all columns but the first
`numbers` ones. Those follow it as `b` bytes: [rows, columns] float64, and an end of line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat
from operator import add
from typing import IO, Any, Literal

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from pawl.artifacts.records import Record
from pawl.capture import names as n
from pawl.capture.keyed import text_of
from pawl.errors import IntegrityError

LOGGER = logging.getLogger(__name__)
Line = dict[str, Any]
Type = Literal["number", "integer", "boolean", "text"]
_ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}
_LINES = 256
TIMESTAMP = pa.timestamp("us", tz="UTC")


class Column(Record):
    """A feature, or what was predicted; `many`: a list in each row."""

    name: str
    type: Type
    many: bool = False


class Head(Record):
    """The first line of a segment. Feedback has neither version nor columns. `numbers`: of so many
    columns, the first ones, the values are in blocks. `hashed`: the columns that hold keyed
    hashes."""

    format: Literal[2]
    kind: n.Kind
    model: str
    version: str = ""
    columns: tuple[Column, ...] = ()
    numbers: int = 0
    label: Column | None = None
    value: Column | None = None
    hashed: tuple[str, ...] = ()


class About(Record):
    """What the metadata of a file say."""

    model: str
    hashed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """A segment's content; `first`: the time of its first row (epoch seconds)."""

    head: Head
    table: pa.Table
    first: float


def read_segment(file: IO[bytes]) -> Read | None:
    """None when there are no rows. IntegrityError when the head is none; a line that is cut off is
    left out. A few lines at a time: as Python's objects they take ten times their room."""
    try:
        head = Head.model_validate_json(file.readline())
    except ValidationError as error:
        raise IntegrityError("a segment without a head of this release") from error
    lines = _lines(file)
    parts = []
    while some := list(islice(lines, _LINES)):
        parts.append(table_of(head, some))
    if not parts:
        return None
    table = pa.concat_tables(parts)
    return Read(head, table, table.column(n.TIME)[0].as_py().timestamp())


def _lines(file: IO[bytes]) -> Iterator[Line]:
    for text in file:
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            LOGGER.warning("a line that was cut off is left out")
            return
        size = line.get("b")
        if size is not None:
            line["b"] = file.read(size)
            if len(line["b"]) < size or not file.read(1):
                LOGGER.warning("a line that was cut off is left out")
                return
        yield line


def table_of(head: Head, lines: list[Line]) -> pa.Table:
    """One row for each row of each line."""
    made = _predictions(head, lines) if head.kind == "predictions" else _feedback(lines)
    about = About(model=head.model, hashed=head.hashed)
    metadata = {n.ABOUT: about.model_dump_json(by_alias=True)}
    return pa.table({n.MODEL: _same(head.model, made), **made}).replace_schema_metadata(metadata)


def _predictions(head: Head, lines: list[Line]) -> dict[str, Any]:
    times = [line["t"] for line in lines for _ in line["n"]]
    ids, firsts, sizes, groups, weights = (
        [value for line in lines for value in line[key]] for key in ("id", "r", "n", "g", "w")
    )
    columns = _common(ids, times, firsts, sizes, groups)
    columns[n.VERSION] = _same(head.version, columns)
    columns[n.WEIGHT] = pa.array(_each(weights, sizes), pa.float64())
    for said, key in ((head.label, "y"), (head.value, "p")):
        if said is not None:
            found = chain.from_iterable(line[key] or [None] * sum(line["n"]) for line in lines)
            columns[said.name] = _array(said, found)
    numbers = np.frombuffer(b"".join(line["b"] for line in lines), "<f8")
    numbers = numbers.reshape(sum(sizes), head.numbers)
    for column, values in zip(head.columns, numbers.T, strict=False):
        columns[column.name] = _numbers(column, values)
    for place, column in enumerate(head.columns[head.numbers :]):
        found = chain.from_iterable(line["v"][place] for line in lines)
        columns[column.name] = _array(column, found)
    return columns


def _feedback(lines: list[Line]) -> dict[str, Any]:
    ids, times, firsts, sizes, groups, versions, ages = (
        [line[key] for line in lines] for key in ("id", "t", "r", "n", "g", "version", "age")
    )
    truths = chain.from_iterable(line["truth"] for line in lines)
    return {
        **_common(ids, times, firsts, sizes, groups),
        n.VERSION: pa.array(_each(versions, sizes), pa.string()),
        n.AGE: pa.array(_each(ages, sizes), pa.float64()),
        n.TRUTH: _array(Column(name=n.TRUTH, type="text"), truths),
    }


def _common(
    ids: list[str], times: list[float], firsts: list[int], sizes: list[int], groups: list[Any]
) -> dict[str, Any]:
    """Of requests, each of so many rows from its row `first` on."""
    micros = [round(time * 1e6) for time in times]
    rows = chain.from_iterable(map(range, firsts, map(add, firsts, sizes)))
    return {
        n.ID: pa.array(_each(ids, sizes), pa.string()),
        n.ROW: pa.array(rows, pa.int32()),
        n.TIME: pa.array(_each(micros, sizes), TIMESTAMP),
        n.GROUP: pa.array(_each(groups, sizes), pa.string()),
    }


def _each(values: list[Any], sizes: list[int]) -> list[Any]:
    """What all rows of a request have alike."""
    return [*chain.from_iterable(map(repeat, values, sizes))]


def _same(value: str, columns: dict[str, Any]) -> Any:
    return pa.array([value] * len(columns[n.ID]), pa.string())


def _numbers(column: Column, values: NDArray[np.float64]) -> Any:
    """What is not finite is null, and so is what is not whole in a column of integers."""
    unknown = ~np.isfinite(values)
    if column.type == "number":
        return pa.array(values, pa.float64(), mask=unknown)
    if column.type == "boolean":
        return pa.array(values != 0, pa.bool_(), mask=unknown)
    unknown |= (values != np.rint(values)) | (np.abs(values) >= 2**63)
    return pa.array(np.where(unknown, 0, values).astype(np.int64), pa.int64(), mask=unknown)


def _array(column: Column, values: Iterable[Any]) -> Any:
    if column.type == "boolean":
        values = (None if value is None else _truth(value) for value in values)
    elif column.type == "text":
        values = (_text(value) for value in values)
    kind = _ARROW[column.type]
    return pa.array(values, pa.list_(kind) if column.many else kind)


def _truth(value: Any) -> Any:
    return [*map(bool, value)] if isinstance(value, list) else bool(value)


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [*map(_text, value)]
    return None if value is None else text_of(value)
