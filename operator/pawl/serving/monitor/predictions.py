"""What is counted of predictions, and what of one of them goes into a pair.

Scores fall into the bins of the version's own baseline (for drift against training); all finite
numbers also fall into bins that are the same for every version (`stats.valuehist`), by which two
versions can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pawl.artifacts.records import CategoryBaseline, NumericBaseline, Signature
from pawl.serving.codec.base import Predictions
from pawl.serving.monitor.memory import NO_LABEL, SCORES, Cells
from pawl.stats import valuehist

Kind = Literal["class", "score", "value"]
ScoreKind = Literal["numeric", "category"]
#: Categories that get a counter of their own; two more are for other and for not finite.
MAX_CATEGORIES = SCORES - 2


class Scores:
    """Made for one version: `count` adds to rows, the rest describes what was counted."""

    def __init__(
        self, signature: Signature, baseline: NumericBaseline | CategoryBaseline | None
    ) -> None:
        self.kind = kind_of(signature)
        self.classes = [class_text(value) for value in signature.classes]
        self._index = {value: index for index, value in enumerate(signature.classes)}
        self.score_kind: ScoreKind | None = None
        self.edges: Sequence[float] = ()
        self.categories: Sequence[str] = ()
        #: `logit` or `log`, as `stats.valuehist` names its bins.
        self.value_kind: str | None = None
        if self.kind in ("score", "value"):
            self.value_kind = "logit" if self.kind == "score" else "log"
            self._value_edges = np.array(valuehist.EDGES[self.value_kind])
        if isinstance(baseline, NumericBaseline) and self.value_kind is not None:
            self.score_kind = "numeric"
            self.edges = baseline.edges[: SCORES - 2]
            self._score_edges = np.array(self.edges, dtype=np.float64)
        elif isinstance(baseline, CategoryBaseline) and self.classes:
            self.score_kind = "category"
            self.categories = baseline.categories[:MAX_CATEGORIES]
            self._place = {name: place for place, name in enumerate(self.categories)}

    @property
    def width(self) -> int:
        """How many counters there are: every bin (or category and other), then not finite."""
        if self.score_kind is None:
            return 0
        return len(self.edges if self.score_kind == "numeric" else self.categories) + 2

    @property
    def counts_labels(self) -> bool:
        """Whether `count` wants labels; else it wants values, where there is a kind of them."""
        return self.score_kind == "category"

    def count(self, said: list[Any], rows: Iterable[Cells]) -> None:
        """Adds predictions: labels or values, as `counts_labels` says."""
        scores: NDArray[np.int64] | None = None
        values: NDArray[np.int64] | None = None
        if self.counts_labels:
            scores = self._categories(said)
        elif self.value_kind is not None:
            numbers = np.array(said, dtype=np.float64)
            finite = numbers[np.isfinite(numbers)]
            values = np.bincount(
                np.searchsorted(self._value_edges, finite), minlength=valuehist.SIZE
            )
            if self.score_kind == "numeric":
                scores = np.zeros(self.width, dtype=np.int64)
                places = np.searchsorted(self._score_edges, finite)
                scores[:-1] = np.bincount(places, minlength=self.width - 1)
                scores[-1] = len(numbers) - len(finite)
        for cells in rows:
            if values is not None:
                _add(cells.values, values)
            if scores is not None:
                _add(cells.scores[: len(scores)], scores)

    def _categories(self, labels: list[Any]) -> NDArray[np.int64]:
        counts = np.zeros(self.width, dtype=np.int64)
        other = self.width - 2
        for label, count in Counter(labels).items():
            if label is None:
                counts[-1] += count
            else:
                counts[self._place.get(class_text(label), other)] += count
        return counts

    def pair(self, said: Predictions | None, row: int) -> tuple[int, float]:
        """Label (its place among the classes) and value of one row, NO_LABEL and NaN for none."""
        if said is None:
            return NO_LABEL, np.nan
        values, labels, width = said
        label = NO_LABEL
        if labels is not None:
            found = labels[row]
            label = self._index.get(found, NO_LABEL) if self._index else _whole(found)
        if values is None:
            return label, np.nan
        return label, max(values[row * width : (row + 1) * width])  # of all classes: the label's


def kind_of(signature: Signature) -> Kind | None:
    """What predictions are: labels, scores of the second class with labels, or values; None when
    the signature (of an imported graph) does not tell."""
    if signature.layout == "tensor":
        output = signature.outputs[0] if signature.outputs else None
        if output is None or not is_column(output.shape):
            return None
        if output.datatype.startswith("FP"):
            return "value"
        return "class" if output.datatype != "BYTES" else None
    if not signature.classes:
        return "value"
    scored = signature.task == "binary" or signature.threshold is not None
    return "score" if scored else "class"


def is_column(shape: Sequence[int]) -> bool:
    """Whether a tensor has one value a row."""
    return len(shape) > 0 and shape[0] == -1 and tuple(shape[1:]) in ((), (1,))


def class_text(value: Any) -> str:
    """A class as a baseline names it: as JSON writes it, strings without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int) and -(2**63) < value < 2**63 else NO_LABEL


def _add(into: NDArray[np.uint32], counts: NDArray[Any]) -> None:
    np.add(into, counts, out=into, casting="unsafe")
