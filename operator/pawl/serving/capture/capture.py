"""Which predictions are captured, and the way out of the serving process.

A prediction is captured when CRC-32 of its id is below the wanted share of 2³². The id is that of
its feedback token (the first 16 characters, which are random), so whichever pod gets the truth
later decides alike without asking anybody. Without a token it is the request's id.

A request that is captured leaves references in a queue of bounded rows and bytes; a thread turns
them into lines of a segment, a few hundred rows at a time, and lets go of the interpreter in
between. Nothing ever waits for it: what finds no room is dropped and counted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple, Protocol
from zlib import crc32

import orjson

from pawl.artifacts.records import Signature
from pawl.artifacts.retry import describe
from pawl.capture import spool
from pawl.capture.config import CaptureSettings
from pawl.capture.names import Kind
from pawl.capture.spool import Segment
from pawl.constants import HEADER_WEIGHT
from pawl.errors import UserError
from pawl.serving import counters as c
from pawl.serving.capture.columns import Columns, Kept
from pawl.serving.capture.exposition import exposition
from pawl.serving.codec.base import Predictions, Rows
from pawl.serving.counters import Counters
from pawl.serving.protocol import InferRequest, percent
from pawl.serving.settings import Settings

LOGGER = logging.getLogger(__name__)
#: What may wait for the thread.
QUEUE_ROWS: Final = 20_000
QUEUE_BYTES: Final = 32 << 20
_PAUSE: Final = 0.5
_WEIGHT: Final = HEADER_WEIGHT.encode()
_NAME: Final = 16


class Asked(Protocol):
    """An infer request as it came."""

    request_id: bytes | None
    headers: dict[bytes, bytes]
    body: bytes


class Answering(Protocol):
    """Where an answer goes."""

    @property
    def request(self) -> Asked:
        """What is answered."""


class Job(Protocol):
    """A request that was scored."""

    rows: Rows
    request: InferRequest

    @property
    def reply(self) -> Answering:
        """Where the answer goes."""


class Truth(NamedTuple):
    """What was told at `time` of the prediction `id` that was `made` (epoch seconds both)."""

    id: str
    time: float
    made: float
    version: str
    group: str | None
    values: list[Any]

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.values)

    def line(self) -> bytes:
        """As the segment has it."""
        line = {
            "id": self.id,
            "t": self.time,
            "r": 0,
            "n": self.size,
            "g": self.group,
            "version": self.version,
            "age": self.time - self.made,
            "truth": self.values,
        }
        return orjson.dumps(line)


class Capture:
    """Of one process that serves one version."""

    def __init__(
        self,
        settings: CaptureSettings,
        counters: Counters,
        columns: Columns,
        *,
        model: str,
        version: str,
    ) -> None:
        """Writes when it is told to `drain`, or by itself after `start`. OSError when the folder
        cannot be written."""
        self._settings = settings
        self._counters = counters
        self._columns = columns
        self._limit = round(settings.choice.percent / 100 * 2**32)
        self._heads: dict[Kind, dict[str, Any]] = {
            "predictions": {"model": model, "version": version, **columns.head},
            "feedback": {"model": model},
        }
        # Rows and bytes that were ever put in and taken out, each written by one thread only.
        self._queue: deque[tuple[Kept | Truth, int]] = deque()
        self._put = [0, 0]
        self._taken = [0, 0]
        self._full = False
        self._named = 0
        # The first segment also tells the writer that a server is there.
        self._segments: dict[Kind, Segment] = {"predictions": self._segment("predictions")}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins the thread."""
        self._thread = threading.Thread(target=self._run, name="pawl-capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """What was captured is in finished segments when this returns."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.drain()
        for segment in self._segments.values():
            segment.close()

    # -- on the event loop

    def answered(
        self, jobs: Sequence[Job], tokens: Sequence[bytes | None], said: Predictions
    ) -> None:
        """A batch was answered with these tokens (none at all without a key)."""
        start = 0
        try:
            for job, token in zip_longest(jobs, tokens):
                stop = start + job.rows.size
                name = token[:_NAME] if token is not None else _name(job)
                if crc32(name) < self._limit:
                    self._keep(job, name, said, start, stop)
                start = stop
        except Exception:
            LOGGER.exception("a prediction could not be captured")

    def told(
        self, token: str, version: str, made: float, group: str | None, truth: list[Any]
    ) -> None:
        """The truth about a prediction has come for the first time."""
        name = token[:_NAME].replace("+", "-").replace("/", "_")
        if crc32(name.encode()) < self._limit:
            item = Truth(name, time.time(), made, version, group, truth)
            self._offer(item, 64 * len(truth))

    def exposition(self) -> Iterable[str]:
        """The lines for Prometheus."""
        return exposition(self._counters, spool.size(self._settings.folder))

    def _keep(self, job: Job, name: bytes, said: Predictions, start: int, stop: int) -> None:
        values, labels, width = said
        request = job.reply.request
        kept = Kept(
            name.decode("latin-1"),
            time.time(),
            job.rows.feed,
            stop - start,
            Predictions(
                None if values is None else values[start * width : stop * width],
                None if labels is None else labels[start:stop],
                width,
            ),
            job.request.group,
            percent(request.headers.get(_WEIGHT)),
        )
        self._offer(kept, len(request.body))

    def _offer(self, item: Kept | Truth, size: int) -> None:
        put, taken = self._put, self._taken
        if put[0] - taken[0] + item.size > QUEUE_ROWS or put[1] - taken[1] + size > QUEUE_BYTES:
            self._counters.mine[c.DROPPED_QUEUE] += item.size
            return
        put[0] += item.size
        put[1] += size
        self._queue.append((item, size))

    # -- in the thread

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE):
            self.drain()

    def drain(self) -> None:
        """Writes what waits, and begins new segments where it is time."""
        try:
            self._look()
            while self._queue:
                item, size = self._queue.popleft()
                self._taken[0] += item.size
                self._taken[1] += size
                self._write(item)
            for kind in list(self._segments):
                self._next_if_due(kind)
        except Exception as error:
            LOGGER.error("nothing is captured", extra={"fields": {"error": describe(error)}})

    def _look(self) -> None:
        full = spool.size(self._settings.folder) > self._settings.spool_bytes
        if full and not self._full:
            LOGGER.warning("captured rows wait for the writer; no more are kept")
        self._full = full

    def _write(self, item: Kept | Truth) -> None:
        mine = self._counters.mine
        if self._full:
            mine[c.DROPPED_SPOOL] += item.size
            return
        kind: Kind = "predictions" if isinstance(item, Kept) else "feedback"
        try:
            segment = self._segments.get(kind) or self._next(kind)
            lines = []
            for line in self._columns.lines(item) if isinstance(item, Kept) else [item.line()]:
                lines.append(line)
                time.sleep(0)  # the event loop may go on
            segment.append(lines, item.size, time.time())
        except Exception:
            mine[c.DROPPED_ERROR] += item.size
            raise
        mine[c.CAPTURED if isinstance(item, Kept) else c.FED_BACK] += item.size
        self._next_if_due(kind)

    def _next_if_due(self, kind: Kind) -> None:
        if self._segments[kind].due(time.time(), self._settings.roll_seconds):
            self._next(kind)

    def _next(self, kind: Kind) -> Segment:
        """The new one first: a writer that finds no segment takes the server for gone."""
        before, self._segments[kind] = self._segments.get(kind), self._segment(kind)
        if before is not None:
            before.close()
        return self._segments[kind]

    def _segment(self, kind: Kind) -> Segment:
        self._named = max(self._named + 1, time.time_ns() // 1_000_000)
        name = f"{self._settings.pod}-{os.getpid()}-{self._named}"
        return Segment(self._settings.folder, kind, name, self._heads[kind])


def _name(job: Job) -> bytes:
    asked = job.request.id
    return job.reply.request.request_id or (asked or os.urandom(8).hex()).encode()


def capture_of(settings: Settings, signature: Signature, counters: Counters) -> Capture | None:
    """What captures for the version that is served; None, and the reason in the log, when that is
    not possible: requests are answered all the same."""
    if settings.capture is None:
        return None
    key = settings.feedback_keys[0] if settings.feedback_keys else None
    try:
        columns = Columns(signature, settings.capture.choice, key)
        capture = Capture(
            settings.capture, counters, columns, model=settings.model, version=settings.version
        )
    except (UserError, OSError) as error:
        LOGGER.error("nothing is captured", extra={"fields": {"error": describe(error)}})
        return None
    capture.start()
    return capture
