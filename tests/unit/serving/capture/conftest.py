"""What one process captures, and the lines that it wrote."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from pawl.artifacts.records import Signature, Tensor
from pawl.capture import spool
from pawl.capture.config import CaptureSettings, Choice
from pawl.serving.capture.capture import Capture
from pawl.serving.capture.columns import Columns
from pawl.serving.codec.base import Predictions, Rows, join
from pawl.serving.counters import Counters
from pawl.serving.protocol import InferRequest

KEY = b"k" * 32
SIGNATURE = Signature(
    task="binary",
    inputs=(
        Tensor(name="age", datatype="FP64", shape=(-1,)),
        Tensor(name="vip", datatype="BOOL", shape=(-1,)),
        Tensor(name="plan", datatype="BYTES", shape=(-1,)),
        Tensor(name="email", datatype="BYTES", shape=(-1,)),
    ),
    outputs=(Tensor(name="label", datatype="BYTES", shape=(-1,)),),
    numeric=("age", "vip"),
    categorical=("plan", "email"),
    classes=("no", "yes"),
)


@dataclass
class Job:
    """A scored request, its reply, and the request as it came."""

    rows: Rows
    request: InferRequest
    request_id: bytes | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b"{}"

    @property
    def reply(self) -> Any:
        return _Reply(self)


@dataclass
class _Reply:
    request: Any


def job(count: int = 1, *, group: str | None = None, **asked: Any) -> Job:
    """Rows of age 0, 1, 2, …"""
    numeric = np.array([[float(row), 1.0] for row in range(count)])
    categorical = np.array([["pro", f"u{row}@x.org"] for row in range(count)], dtype=object)
    feed = {"numeric": numeric, "categorical": categorical}
    return Job(Rows(feed, count), InferRequest(None, [], None, group), **asked)


@dataclass
class Taken:
    """A process that captures into a folder."""

    capture: Capture
    counters: Counters
    folder: Path

    def answer(self, *jobs: Job, tokens: Any = ()) -> None:
        """A batch; every row says yes with 0.75."""
        count = sum(one.rows.size for one in jobs)
        said = Predictions([0.75] * count, ["yes"] * count)
        self.capture.answered(jobs, tokens, join([one.rows.feed for one in jobs]), said)

    def segments(self) -> list[list[dict[str, Any]]]:
        """Head and lines of every segment."""
        return [read(path.read_bytes()) for path in spool.names(self.folder)]

    def lines(self, kind: str = "predictions") -> list[dict[str, Any]]:
        """All that was written, request by request."""
        self.capture.outlet.drain()
        lines = [line for head, *rows in self.segments() if head["kind"] == kind for line in rows]
        return [one for line in lines for one in (each(line) if "b" in line else [line])]

    def count(self, slot: int) -> float:
        return self.counters.total(slot)


def read(data: bytes) -> list[dict[str, Any]]:
    """Head and lines; a line's `v` begins with its columns of numbers."""
    file = io.BytesIO(data)
    head, *lines = [orjson.loads(file.readline())]
    while text := file.readline():
        line = orjson.loads(text)
        if "b" in line:
            numbers = np.frombuffer(file.read(line["b"]), "<f8").reshape(-1, head["numbers"] or 1)
            line["v"] = [*numbers.T[: head["numbers"]].tolist(), *line["v"]]
            assert file.read(1) == b"\n"
        lines.append(line)
    return [head, *lines]


def each(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The requests of a line."""
    start = 0
    for place, n in enumerate(line["n"]):
        stop = start + n
        one = {key: line[key][place] for key in ("id", "r", "n", "g", "w")}
        of_rows = {key: line[key] and line[key][start:stop] for key in ("y", "p")}
        yield {**one, **of_rows, "v": [values[start:stop] for values in line["v"]]}
        start = stop


@pytest.fixture(scope="session")
def read_lines() -> Callable[[bytes], list[dict[str, Any]]]:
    return read


@pytest.fixture
def capture_of(tmp_path: Path) -> Iterator[Callable[..., Taken]]:
    made = []

    def make(*, percent: float = 100, settings: Any = None, key: Any = KEY, **choice: Any) -> Taken:
        counters = Counters()
        chosen = Choice(percent=percent, **choice)
        folder = tmp_path / f"spool-{len(made)}"
        capture = Capture(
            CaptureSettings(chosen, folder, "pod-a", **(settings or {})),
            counters,
            Columns(SIGNATURE, chosen, key),
            model="churn",
            version="7",
        )
        made.append(capture)
        return Taken(capture, counters, folder)

    yield make
    for capture in made:
        capture.outlet.close()


@pytest.fixture(scope="session")
def job_of() -> Callable[..., Job]:
    return job


@pytest.fixture(scope="session")
def signature_of_capture() -> Signature:
    return SIGNATURE
