"""Rows of a request -> lines of a segment (see `pawl.capture.tables`), for one signature.

Features that are dropped are never written anywhere, and of hashed ones only the hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan, prod
from typing import Any, Final, NamedTuple

import numpy as np
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
    """A request that is captured, as `columns` want it. `time`: epoch seconds; `said` of its own
    rows only."""

    columns: Columns
    id: str
    time: float
    feed: Feed
    size: int
    said: Predictions
    group: str | None
    weight: int

    @property
    def kind(self) -> Kind:
        """As `outlet.Item` has it."""
        return "predictions"

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Of LINE_ROWS rows each, and how many."""
        return self.columns.lines(self)


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
        self._plain = np.array([signature.numeric.index(name) for name in plain], dtype=np.intp)
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
            "label": self._label,
            "value": self._value,
            "hashed": sorted(self._hashed),
        }

    def lines(self, kept: Kept) -> Iterator[tuple[bytes, int]]:
        """As `Kept.lines`."""
        for start in range(0, kept.size, LINE_ROWS):
            stop = min(start + LINE_ROWS, kept.size)
            values, labels, width = kept.said
            line = {
                "id": kept.id,
                "t": kept.time,
                "r": start,
                "n": stop - start,
                "g": kept.group,
                "w": kept.weight / 100,
                "v": self._values(kept.feed, slice(start, stop)),
                "y": None if labels is None else labels[start:stop],
                "p": None if values is None else _rows(values, start, stop, width),
            }
            yield orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY), stop - start

    def _values(self, feed: Feed, rows: slice) -> Any:
        """By column, as orjson writes them."""
        found: list[Any] = []
        if len(self._plain):
            numbers = feed["numeric"][rows].T.take(self._plain, axis=0)
            if not self._others:
                return numbers
            found += numbers.tolist()
        for column in self._others:
            values = column.take(feed, rows).tolist()
            if column.name in self._hashed:
                values = [self._hash(value) for value in values]
            elif column.type == "text":
                values = [_present(value) for value in values]
            found.append(values)
        return found

    def _hash(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._hash(part) for part in value]
        if self._key is None or _present(value) is None:
            return None
        return keyed_hash(self._key, value)


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
