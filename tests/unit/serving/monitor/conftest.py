"""A pod's monitor with a clock that tests move."""

from __future__ import annotations

import os
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

from pawl.artifacts.records import Baseline, CategoryBaseline, NumericBaseline, Signature, Tensor
from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.counters import Counters, shared_memory
from pawl.serving.monitor.cells import Layout, layout_of
from pawl.serving.monitor.features import Features
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.pages import FeaturePages
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.recorder import Recorder
from pawl.serving.monitor.snapshot import About, Snapshots
from pawl.serving.monitor.steps import STEP, Steps
from pawl.stats.binning import category_table, numeric_bins

#: The beginning of a minute.
EPOCH = 1_789_999_980
_ONE = Rows({}, 1)


class Clock:
    """Seconds since the start; the wall's clock is EPOCH ahead."""

    def __init__(self) -> None:
        self.now = 0.0
        self.set = 0.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return EPOCH + self.now + self.set


@dataclass
class Request:
    started: float
    request_id: bytes | None
    headers: dict[bytes, bytes]
    body: bytes = b""
    group: str | None = None


class Job:
    """A job, and its reply too."""

    def __init__(self, request: Request, rows: Rows = _ONE) -> None:
        self.request = request
        self.reply = self
        self.rows = rows


class Pod:
    """The recorders of some processes, and what the pod tells. Time goes on by `wait` alone."""

    def __init__(
        self,
        scores: Scores,
        processes: int = 1,
        *,
        warm_up: float = 0.0,
        pair_by_body: bool = False,
        layout: Layout | None = None,
    ) -> None:
        self.clock = Clock()
        counted, seen = shared_memory(processes), os.memfd_create("test")
        self.counters = [Counters(processes, index, counted) for index in range(processes)]
        self.memories = [Memory(processes, index, seen) for index in range(processes)]
        os.close(counted)
        os.close(seen)
        self._scores = scores
        self._warm_up = warm_up
        self._pair_by_body = pair_by_body
        self._layout = layout
        self.recorders = [self.recorder(index) for index in range(processes)]
        about = About("churn", "7", "sha256:0", float(EPOCH))
        self.snapshots = Snapshots(about, self.memories[0], self.counters[0])
        self.snapshots.install(scores)
        self.pages = FeaturePages(about, self.snapshots.closed)
        if layout is not None:
            self.pages.install(layout, self._steps(0))

    def _steps(self, index: int) -> Steps:
        assert self._layout is not None
        return Steps(self.memories[index], self._layout.width, self._layout.fine)

    def recorder(self, index: int) -> Recorder:
        """A new one, as of a process that begins."""
        recorder = Recorder(
            self.memories[index],
            self.counters[index],
            warm_up=self._warm_up,
            pair_by_body=self._pair_by_body,
            wall=self.clock.wall,
            clock=self.clock,
        )
        layout = self._layout
        recorder.install(
            self._scores, None if layout is None else Features(layout, self._steps(index))
        )
        return recorder

    def score(
        self,
        *numbers: list[float],
        scores: list[float],
        process: int = 0,
        group: str | None = None,
    ) -> None:
        """One request of so many rows of numbers."""
        rows = Rows({"numeric": np.array(numbers, dtype=np.float64)}, len(numbers))
        labels = ["yes" if score >= 0.5 else "no" for score in scores]
        job = Job(Request(self.clock.now, None, {}, group=group), rows)
        self.recorders[process].answered(
            [job], rows.feed, Predictions(scores, labels), len(numbers)
        )

    def answer(
        self,
        status: int = 200,
        score: float = 0.5,
        *,
        process: int = 0,
        took: float = 0.003,
        body: bytes = b"",
        **headers: str,
    ) -> None:
        """One request of one row; headers as `x_request_id="a"`."""
        named = {name.replace("_", "-").encode(): v.encode() for name, v in headers.items()}
        asked = Request(self.clock.now - took, named.get(b"x-request-id"), named, body)
        if status != 200:
            self.recorders[process].failed(asked, status)
            return
        said = Predictions([score], ["yes" if score >= 0.5 else "no"])
        job = Job(asked)
        self.recorders[process].answered([job], job.rows.feed, said, 1)

    def wait(self, seconds: float, *processes: int) -> None:
        """Time goes on; the timers of all processes (or of those named) have run."""
        self.clock.now += seconds
        for index in processes or range(len(self.recorders)):
            self.recorders[index].roll()

    def step(self) -> None:
        """A step goes by, in which seconds are closed in time."""
        self.wait(1)
        self.wait(STEP - 1)

    def monitor(self, start: int | None = None, stop: int | None = None) -> dict[str, Any]:
        """GET /monitor, times as seconds after EPOCH."""
        return self.snapshots.monitor(self._window(start, stop))

    def pairs(self, start: int | None = None, stop: int | None = None) -> dict[str, Any]:
        """GET /pairs, times as seconds after EPOCH."""
        return self.snapshots.pairs(self._window(start, stop))

    def features(
        self,
        start: int | None = None,
        stop: int | None = None,
        *,
        step: int = STEP,
        fine: bool = False,
    ) -> dict[str, Any]:
        """GET /features, times as seconds after EPOCH, else the last step; arrays as they were
        before base64."""
        start = self.snapshots.closed() // STEP * STEP - STEP - EPOCH if start is None else start
        page = self.pages.counts(
            None if start is None else EPOCH + start,
            None if stop is None else EPOCH + stop,
            step=step,
            fine=fine,
        )
        steps = len(page["rows"])
        kinds = {"cells": "<u4", "fine": "<u4", "sums": "<f8"}
        for name in kinds.keys() & page.keys():
            page[name] = np.frombuffer(b64decode(page[name]), dtype=kinds[name]).tolist()
        width = len(page["cells"]) // steps if steps else 0
        page["cells"] = [page["cells"][at * width : (at + 1) * width] for at in range(steps)]
        return page

    def _window(self, start: int | None, stop: int | None) -> Any:
        return self.snapshots.window(
            None if start is None else EPOCH + start, None if stop is None else EPOCH + stop
        )


def binary(*classes: Any) -> Signature:
    """Of a model with these two classes; with others as many; without any a regression."""
    task: Any = {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    shape = (-1, len(classes)) if classes else (-1,)
    name = "probabilities" if classes else "prediction"
    return Signature(
        task=task,
        inputs=(Tensor(name="a", datatype="FP64", shape=(-1,)),),
        outputs=(Tensor(name=name, datatype="FP64", shape=shape),),
        numeric=("a",),
        classes=classes,
    )


def bins(*edges: float) -> NumericBaseline:
    return NumericBaseline(
        name="prediction",
        edges=edges,
        counts=(1,) * (len(edges) + 1),
        fine_edges=(),
        fine_counts=(),
        fine_sums=(),
        minimum=0,
        maximum=1,
        missing=0,
    )


def baseline(
    numeric: dict[str, list[float]], categorical: dict[str, list[str]], prediction: list[Any]
) -> Baseline:
    """Of these columns, as training makes it."""
    said = (
        category("prediction", prediction)
        if isinstance(prediction[0], str)
        else number("prediction", prediction)
    )
    return Baseline(
        rows=1,
        numeric=tuple(number(name, values) for name, values in numeric.items()),
        categorical=tuple(category(name, values) for name, values in categorical.items()),
        prediction_rows=len(prediction),
        prediction=said,
    )


def number(name: str, values: list[float]) -> NumericBaseline:
    found = numeric_bins(np.array(values, dtype=np.float64))
    fields = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in asdict(found).items()
    }
    return NumericBaseline(name=name, **fields)


def category(name: str, values: list[str]) -> CategoryBaseline:
    counts = Counter(values)
    missing = counts.pop("", 0)
    return CategoryBaseline(name=name, **asdict(category_table(counts.items(), missing=missing)))


@pytest.fixture(scope="session")
def baseline_of() -> Callable[..., Baseline]:
    return baseline


@pytest.fixture(scope="session")
def signature_of() -> Callable[..., Signature]:
    return binary


@pytest.fixture
def bins_of() -> Callable[..., NumericBaseline]:
    return bins


@pytest.fixture(scope="session")
def pod_of() -> Callable[..., Pod]:
    """A pod that serves a binary classifier with the bins ≤ 0.2, ≤ 0.8, > 0.8."""

    def make(*processes: int, **options: Any) -> Pod:
        return Pod(Scores(binary("no", "yes"), bins(0.2, 0.8)), *processes, **options)

    return make


@pytest.fixture(scope="session")
def watched_of() -> Callable[..., Pod]:
    """As `pod_of`, with a feature `a` in the bins ≤ 1, ≤ 2, > 2; the scores' are ≤ 0.2, > 0.2."""

    def make(*processes: int) -> Pod:
        found = baseline({"a": [1.0, 2.0, 3.0]}, {}, prediction=[0.2, 0.8])
        scores = Scores(binary("no", "yes"), found.prediction)
        return Pod(
            scores, *processes, layout=layout_of(binary("no", "yes"), found, scores.score_kind)
        )

    return make


@pytest.fixture
def watched(watched_of: Callable[..., Pod]) -> Pod:
    return watched_of()


@pytest.fixture
def pod(pod_of: Callable[..., Pod]) -> Pod:
    return pod_of()


@pytest.fixture(scope="session")
def epoch() -> int:
    return EPOCH
