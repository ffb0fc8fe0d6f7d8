"""A pod's monitor with a clock that tests move."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pawl.artifacts.records import NumericBaseline, Signature, Tensor
from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.counters import Counters, shared_memory
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.recorder import Recorder
from pawl.serving.monitor.snapshot import About, Snapshots

#: The beginning of a minute.
EPOCH = 1_789_999_980


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


class Job:
    """A job, and its reply too."""

    rows = Rows({}, 1)

    def __init__(self, request: Request) -> None:
        self.request = request
        self.reply = self


class Pod:
    """The recorders of some processes, and what the pod tells. Time goes on by `wait` alone."""

    def __init__(
        self,
        scores: Scores,
        processes: int = 1,
        *,
        warm_up: float = 0.0,
        pair_by_body: bool = False,
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
        self.recorders = [self.recorder(index) for index in range(processes)]
        about = About("churn", "7", "sha256:0", float(EPOCH))
        self.snapshots = Snapshots(about, self.memories[0], self.counters[0])
        self.snapshots.install(scores)

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
        recorder.install(self._scores)
        return recorder

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
        self.recorders[process].answered([Job(asked)], said, 1)

    def wait(self, seconds: float, *processes: int) -> None:
        """Time goes on; the timers of all processes (or of those named) have run."""
        self.clock.now += seconds
        for index in processes or range(len(self.recorders)):
            self.recorders[index].roll()

    def monitor(self, start: int | None = None, stop: int | None = None) -> dict[str, Any]:
        """GET /monitor, times as seconds after EPOCH."""
        return self.snapshots.monitor(self._window(start, stop))

    def pairs(self, start: int | None = None, stop: int | None = None) -> dict[str, Any]:
        """GET /pairs, times as seconds after EPOCH."""
        return self.snapshots.pairs(self._window(start, stop))

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


@pytest.fixture
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


@pytest.fixture
def pod(pod_of: Callable[..., Pod]) -> Pod:
    return pod_of()


@pytest.fixture(scope="session")
def epoch() -> int:
    return EPOCH
