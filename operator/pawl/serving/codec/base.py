"""What a codec takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from pawl.errors import SignatureError
from pawl.serving.protocol import InferRequest

Feed = dict[str, NDArray[Any]]
Outputs = dict[str, NDArray[Any]]


class Rows(NamedTuple):
    """Decoded inputs of one request. Two requests can be scored together when their `key`s are
    equal: then the arrays of `feed` can be joined along axis 0. `size` is the number of rows,
    `sent` what the client sent, where `feed` was derived from it."""

    feed: Feed
    size: int
    key: tuple[Any, ...] = ()
    sent: Feed | None = None


class Column(NamedTuple):
    """One output of a batch as a flat list, `width` values per row. Its JSON is `head`, the number
    of rows, `rest`, the values, `}`; without a batch axis (`batched` false) no number of rows."""

    name: str
    width: int
    data: list[Any]
    head: bytes
    rest: bytes
    batched: bool = True


def column(
    name: str,
    datatype: str,
    tail: tuple[int, ...],
    width: int,
    data: list[Any],
    batched: bool = True,
) -> Column:
    """`tail` is the shape behind the batch axis, or the whole shape when there is none."""
    return Column(name, width, data, *_frame(name, datatype, tail, batched), batched)


@lru_cache(256)
def _frame(name: str, datatype: str, tail: tuple[int, ...], batched: bool) -> tuple[bytes, bytes]:
    head = b'{"name":%s,"datatype":"%s","shape":[' % (orjson.dumps(name), datatype.encode())
    sizes = ",".join(map(str, tail)).encode()
    return head, (b"," if batched and tail else b"") + sizes + b'],"data":'


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


def answer(columns: Sequence[Column], start: int, stop: int, wanted: Sequence[str] | None) -> bytes:
    """The `outputs` of a response as JSON: rows `start` to `stop` of the wanted columns, in that
    order. Values that are not finite become null."""
    if wanted is not None:
        by_name = {column.name: column for column in columns}
        columns = [by_name[name] for name in wanted]
    count = stop - start
    dumps = orjson.dumps
    outputs = [
        b"%s%d%s%s}" % (head, count, rest, dumps(data[start * width : stop * width]))
        if batched
        else b"%s%s%s}" % (head, rest, dumps(data))
        for _, width, data, head, rest, batched in columns
    ]
    return b"[%s]" % b",".join(outputs)


def join(feeds: Sequence[Feed]) -> Feed:
    """Feeds of equal keys as one."""
    if len(feeds) == 1:
        return feeds[0]
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
