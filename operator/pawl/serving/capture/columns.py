"""Rows of a batch -> lines of a segment (see `pawl.capture.tables`), for one signature. Features of
numbers go as they are in memory: as text they would cost more than all else.

Features that are dropped are never written anywhere, and of hashed ones only the hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan, prod
from typing import Any, Final, NamedTuple

import orjson
from numpy.typing import NDArray

from pawl.artifacts.records import Signature, Tensor
from pawl.capture import names as n
from pawl.capture.config import Choice
from pawl.capture.keyed import keyed_hash
from pawl.capture.names import Kind
from pawl.errors import UserError
from pawl.serving.codec.base import Feed, Predictions
from pawl.serving.monitor.predictions import kind_of

#: Rows of a line: a millisecond or so of work.
LINE_ROWS: Final = 256


class Kept(NamedTuple):
    """The captured requests of a batch, as `columns` want them: of each its id, how many rows, its
    group, and its weight (per cent). `time`: epoch seconds; `feed` and `said`: of their rows."""

    columns: Columns
    time: float
    ids: list[str]
    sizes: list[int]
    groups: list[str | None]
    weights: list[int]
    feed: Feed
    said: Predictions

    @property
    def kind(self) -> Kind:
        """As `outlet.Item` has it."""
        return "predictions"

    @property
    def size(self) -> int:
        """Rows."""
        return sum(self.sizes)

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Of LINE_ROWS rows each, and how many."""
        return self.columns.lines(self)


class _Part(NamedTuple):
    """Rows of one request in a line: `n` from the request's row `first` on."""

    request: int
    first: int
    n: int


@dataclass(frozen=True, slots=True)
class _Column:
    """A feature: how its values of some rows are found."""

    name: str
    type: str
    take: Callable[[Feed, slice], Any]
    many: bool = False


class Columns:
    """What is written of requests to one version."""

    def __init__(self, signature: Signature, choice: Choice, key: bytes | None) -> None:
        """UserError when a column is no feature, or hashes are wanted and there is no key."""
        self._check(signature, choice, key)
        self._key = key
        self._hashed = frozenset(choice.hash)
        wanted = {tensor.name for tensor in signature.inputs} - {*choice.drop}
        wanted = {name for name in wanted if not name.startswith(n.OWN)}
        plain = [name for name in signature.numeric if name in wanted - self._hashed]
        self._plain = plain
        # A slice copies nothing, and nearly always all are taken.
        places = [signature.numeric.index(name) for name in plain]
        self._taken = slice(None) if len(places) == len(signature.numeric) else places
        self._others = [
            column for column in _others(signature) if column.name in wanted and
            column.name not in plain
        ]  # fmt: skip
        types = {tensor.name: _type(tensor) for tensor in signature.inputs}
        self._columns = [
            *({"name": name, "type": types[name], "many": False} for name in plain),
            *(self._described(column) for column in self._others),
        ]
        self._label, self._value = _said(signature)

    @staticmethod
    def _check(signature: Signature, choice: Choice, key: bytes | None) -> None:
        inputs = {tensor.name for tensor in signature.inputs}
        unknown = sorted({*choice.drop, *choice.hash} - inputs)
        if unknown:
            raise UserError(f"capture: {unknown[0]} is no input of the model")
        if choice.hash and key is None:
            raise UserError("capture.hash needs a key, the one of feedback")

    def _described(self, column: _Column) -> dict[str, Any]:
        kind = "text" if column.name in self._hashed else column.type
        return {"name": column.name, "type": kind, "many": column.many}

    @property
    def head(self) -> dict[str, Any]:
        """What a segment begins with."""
        return {
            "columns": self._columns,
            "numbers": len(self._plain),
            "label": self._label,
            "value": self._value,
            "hashed": sorted(self._hashed),
        }

    def lines(self, kept: Kept) -> Iterator[tuple[bytes, int]]:
        """As `Kept.lines`."""
        values, labels, width = kept.said
        start = 0
        for parts in _cut(kept.sizes):
            stop = start + sum(part.n for part in parts)
            rows = slice(start, stop)
            numbers = self._numbers(kept.feed, rows)
            line = {
                "t": kept.time,
                "id": [kept.ids[part.request] for part in parts],
                "r": [part.first for part in parts],
                "n": [part.n for part in parts],
                "g": [kept.groups[part.request] for part in parts],
                "w": [kept.weights[part.request] / 100 for part in parts],
                "v": [self._values(column, kept.feed, rows) for column in self._others],
                "y": None if labels is None else labels[rows],
                "p": None if values is None else _rows(values, start, stop, width),
                "b": len(numbers),
            }
            yield b"%s\n%s" % (orjson.dumps(line), numbers), stop - start
            start = stop

    def _numbers(self, feed: Feed, rows: slice) -> bytes:
        """[rows, columns] as float64, lowest byte first."""
        if not self._plain:
            return b""
        return feed["numeric"][rows, self._taken].astype("<f8", copy=False).tobytes()

    def _values(self, column: _Column, feed: Feed, rows: slice) -> list[Any]:
        """As orjson writes them."""
        values: list[Any] = column.take(feed, rows).tolist()
        if column.name in self._hashed:
            return [self._hash(value) for value in values]
        return [_present(value) for value in values] if column.type == "text" else values

    def _hash(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._hash(part) for part in value]
        if self._key is None or _present(value) is None:
            return None
        return keyed_hash(self._key, value)


def _cut(sizes: Sequence[int]) -> Iterator[list[_Part]]:
    """The parts of each line, for requests of so many rows."""
    parts: list[_Part] = []
    room = LINE_ROWS
    for request, size in enumerate(sizes):
        first = 0
        while first < size:
            n = min(size - first, room)
            parts.append(_Part(request, first, n))
            first, room = first + n, room - n
            if not room:
                yield parts
                parts, room = [], LINE_ROWS
    if parts:
        yield parts


def _others(signature: Signature) -> Iterator[_Column]:
    """All features one by one."""
    if signature.layout == "tabular":
        for place, name in enumerate(signature.numeric):
            yield _Column(name, "number", _block("numeric", place))
        for place, name in enumerate(signature.categorical):
            yield _Column(name, "text", _block("categorical", place))
        return
    batched = all(tensor.shape and tensor.shape[0] == -1 for tensor in signature.inputs)
    for tensor in signature.inputs:
        many = not batched or prod(tensor.shape[1:]) != 1
        yield _Column(tensor.name, _type(tensor), _tensor(tensor.name, batched, many), many)


def _block(name: str, place: int) -> Callable[[Feed, slice], NDArray[Any]]:
    return lambda feed, rows: feed[name][rows, place]


def _tensor(name: str, batched: bool, many: bool) -> Callable[[Feed, slice], NDArray[Any]]:
    """[rows], or [rows, values of a row]."""

    def take(feed: Feed, rows: slice) -> NDArray[Any]:
        array = feed[name][rows] if batched else feed[name][None]
        return array.reshape((len(array), -1) if many else -1)

    return take


def _said(signature: Signature) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The columns of labels and of values, None for none."""
    kind = kind_of(signature)
    label: dict[str, Any] | None = None
    value: dict[str, Any] | None = None
    if kind in ("class", "score"):
        label = {"name": n.LABEL, "type": _label_type(signature)}
    if kind in ("score", "value"):
        value = {"name": n.VALUE, "type": "number"}
    elif kind == "class" and signature.layout == "tabular":
        value = {"name": n.VALUE, "type": "number", "many": True}
    return label, value


def _label_type(signature: Signature) -> str:
    types = {type(value) for value in signature.classes}
    if not types:  # of an imported graph
        return _type(signature.outputs[0])
    if types <= {bool}:
        return "boolean"
    if types <= {int}:
        return "integer"
    return "number" if types <= {int, float} else "text"


def _type(tensor: Tensor) -> str:
    """Of a column. Unsigned 64 bits do not fit the integers."""
    if tensor.datatype == "BOOL":
        return "boolean"
    if tensor.datatype == "BYTES":
        return "text"
    whole = tensor.datatype.startswith(("INT", "UINT")) and tensor.datatype != "UINT64"
    return "integer" if whole and len(tensor.shape) >= 1 else "number"


def _rows(values: Sequence[float], start: int, stop: int, width: int) -> list[Any]:
    if width == 1:
        return list(values[start:stop])
    return [list(values[row * width : (row + 1) * width]) for row in range(start, stop)]


def _present(value: Any) -> Any:
    """None for what is missing."""
    missing = value is None or value == "" or (isinstance(value, float) and isnan(value))
    return None if missing else value
