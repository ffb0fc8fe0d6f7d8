"""The way of captured rows out of the serving process: a bounded queue, and a thread that turns it
into segments of the spool.

The thread lets go of the interpreter every millisecond, so that requests go on, and writes many
lines at once: a call to the kernel for each would take as long as all else. Nothing ever waits for
it: what finds no room is dropped and counted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pawl.artifacts.retry import describe
from pawl.capture import spool
from pawl.capture.config import CaptureSettings
from pawl.capture.names import Kind
from pawl.capture.spool import Segment
from pawl.serving import counters as c
from pawl.serving.counters import Counters

LOGGER = logging.getLogger(__name__)
#: What may wait for the thread.
QUEUE_ROWS: Final = 20_000
QUEUE_BYTES: Final = 32 << 20
_PAUSE: Final = 0.5
#: Seconds in which requests may wait for the thread.
_HOLD: Final = 0.001
#: Bytes of lines that are written at once, about.
_AT_ONCE: Final = 64 << 10
_WRITTEN: Final = {"predictions": c.CAPTURED, "feedback": c.FED_BACK}


class Item(Protocol):
    """Rows that become lines."""

    @property
    def kind(self) -> Kind:
        """Of the segment that they belong to."""

    @property
    def size(self) -> int:
        """How many rows."""

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """A few hundred rows each, and how many."""


@dataclass
class _Ready:
    """Lines that are not written yet."""

    lines: list[bytes] = field(default_factory=list)
    rows: int = 0
    size: int = 0


class Outlet:
    """Of one process."""

    def __init__(
        self, settings: CaptureSettings, counters: Counters, heads: dict[Kind, dict[str, Any]]
    ) -> None:
        """`heads`: what segments begin with. Writes when it is told to `drain`, or by itself after
        `start`. OSError when the folder cannot be written."""
        self._settings = settings
        self._counters = counters
        self._heads = heads
        # Rows and bytes that were ever put in and taken out, each changed by one thread only.
        self._queue: deque[tuple[Item, int]] = deque()
        self._put = [0, 0]
        self._taken = [0, 0]
        self._full = False
        self._named = 0
        self._held_since = 0.0
        # The first segment also tells the writer that a server is there.
        self._segments: dict[Kind, Segment] = {"predictions": self._segment("predictions")}
        self._ready: defaultdict[Kind, _Ready] = defaultdict(_Ready)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins the thread."""
        self._thread = threading.Thread(target=self._run, name="pawl-capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """What was put in is in finished segments when this returns."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.drain()
        for segment in self._segments.values():
            segment.close()

    def put(self, item: Item, size: int) -> None:
        """Takes about so many bytes, or drops them."""
        if self._full:
            self._counters.mine[c.DROPPED_SPOOL] += item.size
            return
        put, taken = self._put, self._taken
        if put[0] - taken[0] + item.size > QUEUE_ROWS or put[1] - taken[1] + size > QUEUE_BYTES:
            self._counters.mine[c.DROPPED_QUEUE] += item.size
            return
        put[0] += item.size
        put[1] += size
        self._queue.append((item, size))

    @property
    def waiting(self) -> int:
        """Bytes in the spool, of all processes."""
        return spool.size(self._settings.folder)

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
                self._make(item)
            for kind in list(self._ready):
                self._write(kind)
            for kind in list(self._segments):
                self._next_if_due(kind)
        except Exception as error:
            LOGGER.error("nothing is captured", extra={"fields": {"error": describe(error)}})

    def _look(self) -> None:
        full = self.waiting > self._settings.spool_bytes
        if full and not self._full:
            LOGGER.warning("captured rows wait for the writer; no more are kept")
        self._full = full

    def _make(self, item: Item) -> None:
        """Lines of an item."""
        if self._full:
            self._counters.mine[c.DROPPED_SPOOL] += item.size
            return
        left = item.size
        try:
            for line, rows in item.lines():
                ready = self._ready[item.kind]
                ready.lines.append(line)
                ready.rows += rows
                ready.size += len(line)
                left -= rows
                if ready.size >= _AT_ONCE:
                    self._write(item.kind)
                self._breathe()
        finally:
            self._counters.mine[c.DROPPED_ERROR] += left

    def _write(self, kind: Kind) -> None:
        """The lines that are ready."""
        ready = self._ready.pop(kind)
        counted = c.DROPPED_ERROR
        try:
            segment = self._segments.get(kind) or self._next(kind)
            segment.append(b"\n".join(ready.lines), ready.rows, time.time())
            counted = _WRITTEN[kind]
        finally:
            self._counters.mine[counted] += ready.rows
        self._next_if_due(kind)

    def _breathe(self) -> None:
        if time.perf_counter() - self._held_since > _HOLD:
            time.sleep(0)
            self._held_since = time.perf_counter()

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
