"""Cells as Prometheus text: what was counted since the pod began, and the baseline beside it, so
that drift can be computed by PromQL.

Names of features and cells come from the baseline, never from a client. The number of series is
bounded: features are told in the order of the cells while there are at most MAX_CELLS of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from numpy.typing import NDArray

from pawl.serving.metrics import escaped, head
from pawl.serving.monitor.cells import Layout, Part

MAX_CELLS: Final = 5000


def lines(layout: Layout, totals: NDArray[Any]) -> Iterator[str]:
    """`totals` are counts by cell [width]."""
    parts = list(_within(layout.parts, MAX_CELLS))
    if parts:
        yield from head("pawl_feature_rows_total", "counter", "Rows by cell of a feature.")
        for part in parts:
            counts = totals[part.at : part.at + part.cells].tolist()
            yield from _cells("pawl_feature_rows_total", part, counts, _feature(part))
        yield from head("pawl_feature_reference", "gauge", "Rows of the baseline by cell.")
        for part in parts:
            yield from _cells("pawl_feature_reference", part, part.reference, _feature(part))
    last = layout.prediction
    if last is not None and last.cells <= MAX_CELLS:
        yield from head("pawl_prediction_rows_total", "counter", "Rows by cell of the prediction.")
        counts = totals[last.at : last.at + last.cells].tolist()
        yield from _cells("pawl_prediction_rows_total", last, counts)
        yield from head("pawl_prediction_reference", "gauge", "Rows of the baseline by cell.")
        yield from _cells("pawl_prediction_reference", last, last.reference)


def _within(parts: Iterable[Part], most: int) -> Iterator[Part]:
    for part in parts:
        most -= part.cells
        if most < 0:
            return
        yield part


def _feature(part: Part) -> str:
    return f'feature="{escaped(part.name)}",'


def _cells(name: str, part: Part, counts: Iterable[int], labels: str = "") -> Iterator[str]:
    for cell, count in zip(part.labels, counts, strict=True):
        yield f'{name}{{{labels}cell="{escaped(cell)}"}} {count}'
