"""What is told of cells: GET /features and /features/layout.

By whole steps only. A step is told once it is over in every living process, and does not change
any more: who goes on from the last `to` counts everything once.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from pawl.serving.errors import NotReadyError
from pawl.serving.monitor.cells import Layout
from pawl.serving.monitor.snapshot import About, Window
from pawl.serving.monitor.steps import TOLD, Steps


class FeaturePages:
    """Reads the steps; any process may."""

    def __init__(self, about: About, closed: Callable[[], int]) -> None:
        """`closed` gives the second before which all is told."""
        self._about = about
        self._closed = closed
        self._installed: tuple[Layout, Steps] | None = None

    def install(self, layout: Layout, steps: Steps) -> None:
        """There is a model from now on."""
        self._installed = layout, steps

    def layout(self) -> dict[str, Any]:
        """Which cells there are, and what the baseline has in them. NotReadyError without a
        model."""
        layout, _ = self._model()
        head = self._about.head(Window(0, 0, 0))
        del head["from"], head["to"], head["started"]
        return head | {
            "layout": layout.digest,
            "features": orjson.Fragment(layout.features),
            "uncounted": layout.uncounted,
        }

    def counts(
        self, start: int | None, stop: int | None, *, step: int, fine: bool
    ) -> dict[str, Any]:
        """The counts of the steps (of so many seconds) within [start, stop), of the last minute
        when nothing is said. Fine bins begin and end at a multiple of STEP. NotReadyError without
        a model."""
        layout, steps = self._model()
        window = self._window(start, stop, step)
        start, stop = window.start, window.stop
        rows, cells = steps.cells(start, stop, step)
        message = self._about.head(window) | {
            "step": step,
            "layout": layout.digest,
            "rows": rows.tolist(),
            "cells": _base64(cells, "<u4"),
        }
        groups, others = steps.groups(start, stop)
        if groups:
            message |= {"groups": groups, "otherGroups": others}
        if fine:
            bins, sums = steps.fine(start, stop)
            message |= {"fine": _base64(bins, "<u4"), "sums": _base64(sums, "<f8")}
        return message

    def _window(self, start: int | None, stop: int | None, step: int) -> Window:
        closed = self._closed() // step * step
        stop = closed if stop is None else min(stop // step * step, closed)
        started = int(self._about.started)
        # There is nothing in a pod's first step before its start.
        first = started // step * step
        if start is None:
            start = stop - 60
        start = first if start <= started else -(-start // step) * step
        start = max(start, -(-(closed - TOLD) // step) * step)
        return Window(start, start, max(start, stop))

    def _model(self) -> tuple[Layout, Steps]:
        if self._installed is None:
            raise NotReadyError("the model is being loaded")
        return self._installed


def _base64(array: NDArray[np.generic], kind: str) -> str:
    return b64encode(array.astype(kind).tobytes()).decode()
