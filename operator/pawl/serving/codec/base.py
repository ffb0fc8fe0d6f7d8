"""What a codec takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pawl.errors import SignatureError
from pawl.serving.protocol import InferRequest

Feed = dict[str, NDArray[Any]]
Outputs = dict[str, NDArray[Any]]


class Rows(NamedTuple):
    """Decoded inputs of one request. Two requests can be scored together when their `key`s are
    equal: then the arrays of `feed` can be joined along axis 0. `size` is the number of rows."""

    feed: Feed
    size: int
    key: tuple[Any, ...] = ()


class Column(NamedTuple):
    """One output of a batch as a flat list, `width` values per row; `tail` is the shape behind the
    batch axis. Without a batch axis (`batched` false), `tail` is the whole shape."""

    name: str
    datatype: str
    tail: list[int]
    width: int
    data: list[Any]
    batched: bool = True


class Predictions(NamedTuple):
    """What a batch says, row by row. `values`: `width` a row; numbers (regression), scores of the
    second class (binary), or of all classes. `labels`: classes, None where the scores are not
    finite. Neither, when the signature does not tell what the outputs are."""

    values: list[float] | None = None
    labels: list[Any] | None = None
    width: int = 1


class Rendered(NamedTuple):
    """The answers to a batch; `non_finite` counts the predictions that became null."""

    columns: list[Column]
    non_finite: int = 0
    said: Predictions = Predictions()


class Codec(Protocol):
    """Made for one signature."""

    @property
    def batchable(self) -> bool:
        """Whether rows of several requests may be scored together."""

    @property
    def wanted(self) -> Sequence[str]:
        """The outputs that the engine must compute, by the model's own names."""

    @property
    def names(self) -> frozenset[str]:
        """The outputs that a client may ask for."""

    def decode(self, request: InferRequest) -> Rows:
        """SignatureError or TooLargeError when the request does not fit."""

    def render(self, outputs: Outputs, count: int) -> Rendered:
        """Checks shapes and types (ValueError) and gives the columns of a batch of `count` rows."""

    def example(self, count: int) -> Feed:
        """`count` rows that are no special case, to warm up and check a model with."""


def check_wanted(request: InferRequest, names: frozenset[str]) -> None:
    """SignatureError when an output is asked for that there is not."""
    for name in request.outputs or ():
        if name not in names:
            raise SignatureError(
                f"outputs: there is no output {name[:80]!r}; there are {', '.join(sorted(names))}",
                field=name,
            )


def answer(
    columns: Sequence[Column], start: int, stop: int, wanted: Sequence[str] | None
) -> list[dict[str, Any]]:
    """The `outputs` of a response: rows `start` to `stop` of the wanted columns, in that order."""
    if wanted is not None:
        by_name = {column.name: column for column in columns}
        columns = [by_name[name] for name in wanted]
    count = stop - start
    return [
        {
            "name": name,
            "datatype": datatype,
            "shape": [count, *tail],
            "data": data[start * width : stop * width],
        }
        if batched
        else {"name": name, "datatype": datatype, "shape": tail, "data": data}
        for name, datatype, tail, width, data, batched in columns
    ]


def join(feeds: Sequence[Feed]) -> Feed:
    """Feeds of equal keys as one."""
    if len(feeds) == 1:
        return feeds[0]
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
