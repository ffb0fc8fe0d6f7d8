"""Layout `tabular` of a model with derived features: a client sends columns as the data have them,
and the features are computed here, with the code that computed them in training.

Times come as strings in ISO 8601, in UTC where they name no zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Signature
from pawl.errors import SignatureError
from pawl.serving.codec.base import Feed, Outputs, Rendered, Rows
from pawl.serving.codec.tabular import TabularCodec
from pawl.serving.protocol import InferRequest, shown


def sent(signature: Signature, derivation: Derivation) -> Signature:
    """The signature with the client's columns in the place of the model's."""
    columns = {
        "numeric": derivation.named("number", "boolean"),
        "categorical": derivation.named("text", "time"),
    }
    return signature.model_copy(update=columns)


class DerivedCodec:
    """Made for one signature and one derivation; see `Codec`."""

    batchable = True

    def __init__(self, signature: Signature, derivation: Derivation, max_rows: int) -> None:
        """ValueError when they contradict each other, ExpressionError when the derivation does."""
        self._program = derivation.program()
        self._sent = sent(signature, derivation)
        self._tabular = TabularCodec(self._sent, max_rows)
        self._times = frozenset(derivation.named("time"))
        self._numeric, self._categorical = signature.numeric, signature.categorical
        there = {one.name for one in derivation.inputs} | self._program.kinds.keys()
        for name in (*self._numeric, *self._categorical):
            if name not in there:
                raise ValueError(f"signature: {name} is neither sent nor derived")
        self.wanted: Sequence[str] = self._tabular.wanted
        self.names = self._tabular.names

    def decode(self, request: InferRequest) -> Rows:
        rows = self._tabular.decode(request)
        return Rows(self._derived(rows.feed, rows.size), rows.size, sent=rows.feed)

    def render(self, outputs: Outputs, count: int) -> Rendered:
        return self._tabular.render(outputs, count)

    def example(self, count: int) -> Feed:
        return self._derived(self._tabular.example(count), count)

    def _derived(self, feed: Feed, count: int) -> Feed:
        columns: dict[str, NDArray[Any]] = {}
        for index, name in enumerate(self._sent.numeric):
            columns[name] = np.ascontiguousarray(feed["numeric"][:, index])
        for index, name in enumerate(self._sent.categorical):
            texts = feed["categorical"][:, index]
            columns[name] = _times(name, texts) if name in self._times else texts
        columns |= self._program.run(columns, count)
        found: Feed = {}
        if self._numeric:
            found["numeric"] = np.column_stack([columns[name] for name in self._numeric])
        if self._categorical:
            found["categorical"] = np.column_stack([columns[name] for name in self._categorical])
        return found


def _times(name: str, texts: NDArray[Any]) -> NDArray[Any]:
    """ "" is missing."""
    found = np.full(len(texts), "NaT", dtype="datetime64[us]")
    for index, text in enumerate(texts):
        if text:
            try:
                when = datetime.fromisoformat(text)
                when = when.astimezone(UTC) if when.tzinfo else when
            except (ValueError, OverflowError):
                raise SignatureError(
                    f"{name}: data[{index}] is {shown(text)}, no time in ISO 8601", field=name
                ) from None
            found[index] = np.datetime64(when.replace(tzinfo=None), "us")
    return found
