"""A segment's lines -> an arrow table, with what it is of in its metadata."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, Any, Literal

import orjson
import pyarrow as pa
from pydantic import ValidationError

from pawl.artifacts.records import Record
from pawl.capture import names as n
from pawl.capture.keyed import text_of
from pawl.errors import IntegrityError

LOGGER = logging.getLogger(__name__)
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
    """The first line of a segment. Feedback has neither version nor columns. `hashed`: the columns
    that hold keyed hashes."""

    format: Literal[1]
    kind: n.Kind
    model: str
    version: str = ""
    columns: tuple[Column, ...] = ()
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


def _lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    for line in file:
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            LOGGER.warning("a line that was cut off is left out")


def table_of(head: Head, lines: list[dict[str, Any]]) -> pa.Table:
    """One row for each row of each line."""
    made = _predictions(head, lines) if head.kind == "predictions" else _feedback(lines)
    about = About(model=head.model, hashed=head.hashed)
    metadata = {n.ABOUT: about.model_dump_json(by_alias=True)}
    return pa.table({n.MODEL: _same(head.model, made), **made}).replace_schema_metadata(metadata)


def _predictions(head: Head, lines: list[dict[str, Any]]) -> dict[str, Any]:
    columns = {
        **_common(lines),
        n.VERSION: pa.array([head.version] * sum(line["n"] for line in lines), pa.string()),
        n.WEIGHT: pa.array(_each(lines, "w"), pa.float64()),
    }
    for said, key in ((head.label, "y"), (head.value, "p")):
        if said is not None:
            found = chain.from_iterable(line[key] or [None] * line["n"] for line in lines)
            columns[said.name] = _array(said, found)
    for place, column in enumerate(head.columns):
        found = chain.from_iterable(line["v"][place] for line in lines)
        columns[column.name] = _array(column, found)
    return columns


def _feedback(lines: list[dict[str, Any]]) -> dict[str, Any]:
    truths = chain.from_iterable(line["truth"] for line in lines)
    return {
        **_common(lines),
        n.VERSION: pa.array(_each(lines, "version"), pa.string()),
        n.AGE: pa.array(_each(lines, "age"), pa.float64()),
        n.TRUTH: _array(Column(name=n.TRUTH, type="text"), truths),
    }


def _common(lines: list[dict[str, Any]]) -> dict[str, Any]:
    micros = [round(time * 1e6) for time in _each(lines, "t")]
    rows = chain.from_iterable(range(line["r"], line["r"] + line["n"]) for line in lines)
    return {
        n.ID: pa.array(_each(lines, "id"), pa.string()),
        n.ROW: pa.array(rows, pa.int32()),
        n.TIME: pa.array(micros, TIMESTAMP),
        n.GROUP: pa.array(_each(lines, "g"), pa.string()),
    }


def _each(lines: list[dict[str, Any]], key: str) -> list[Any]:
    """What all rows of a line have alike."""
    return [value for line in lines for value in [line[key]] * line["n"]]


def _same(value: str, columns: dict[str, Any]) -> Any:
    return pa.array([value] * len(columns[n.ID]), pa.string())


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
