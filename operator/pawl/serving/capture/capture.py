"""Which predictions are captured.

A prediction is captured when CRC-32 of its id is below the wanted share of 2³². The id is that of
its feedback token (the first 16 characters, which are random), so whichever pod gets the truth
later decides alike without asking anybody. Without a token it is the request's id. What is captured
leaves references; the rest is done in a thread (see `outlet`).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, zip_longest
from typing import Any, ClassVar, Final
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray

from pawl.artifacts.records import Signature
from pawl.artifacts.retry import describe
from pawl.capture.config import CaptureSettings
from pawl.capture.names import Kind
from pawl.constants import HEADER_WEIGHT
from pawl.errors import UserError
from pawl.serving.capture.columns import Columns, Kept
from pawl.serving.capture.outlet import Outlet
from pawl.serving.codec.base import Feed, Predictions
from pawl.serving.counters import Counters
from pawl.serving.protocol import percent
from pawl.serving.scored import Job
from pawl.serving.settings import Settings

LOGGER = logging.getLogger(__name__)
_WEIGHT: Final = HEADER_WEIGHT.encode()
_NAME: Final = 16
#: Bytes that a truth takes, about.
_TRUTH: Final = 64


@dataclass(frozen=True, slots=True)
class Truth:
    """What was told at `time` of the prediction `id` that was `made` (epoch seconds both)."""

    kind: ClassVar[Kind] = "feedback"
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

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """One, of all rows."""
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
        yield orjson.dumps(line), self.size


class Capture:
    """Of one process that serves one version. To be told on the event loop."""

    def __init__(
        self,
        settings: CaptureSettings,
        counters: Counters,
        columns: Columns,
        *,
        model: str,
        version: str,
    ) -> None:
        """OSError when the folder cannot be written."""
        self._columns = columns
        self._limit = round(settings.choice.percent / 100 * 2**32)
        predictions = {"model": model, "version": version, **columns.head}
        self.outlet = Outlet(
            settings, counters, {"predictions": predictions, "feedback": {"model": model}}
        )

    def answered(
        self, jobs: Sequence[Job], tokens: Sequence[bytes | None], feed: Feed, said: Predictions
    ) -> None:
        """A batch was answered with these tokens (none at all without a key)."""
        try:
            names = [
                token[:_NAME] if token is not None else _name(job)
                for job, token in zip_longest(jobs, tokens)
            ]
            chosen = [crc32(name) < self._limit for name in names]
            if not any(chosen):
                return
            if not all(chosen):
                rows = np.repeat(chosen, [job.rows.size for job in jobs])
                feed, said = {name: array[rows] for name, array in feed.items()}, _of(said, rows)
                jobs, names = [*compress(jobs, chosen)], [*compress(names, chosen)]
            self._keep(jobs, names, feed, said)
        except Exception:
            LOGGER.exception("predictions could not be captured")

    def told(
        self, token: str, version: str, made: float, group: str | None, truth: list[Any]
    ) -> None:
        """The truth about a prediction has come for the first time."""
        name = token[:_NAME].replace("+", "-").replace("/", "_")
        if crc32(name.encode()) < self._limit:
            told = Truth(name, time.time(), made, version, group, truth)
            self.outlet.put(told, _TRUTH * len(truth))

    def _keep(self, jobs: Sequence[Job], names: list[bytes], feed: Feed, said: Predictions) -> None:
        asked = [job.reply.request for job in jobs]
        kept = Kept(
            self._columns,
            time.time(),
            [name.decode("latin-1") for name in names],
            [job.rows.size for job in jobs],
            [job.request.group for job in jobs],
            [percent(request.headers.get(_WEIGHT)) for request in asked],
            feed,
            said,
        )
        self.outlet.put(kept, sum(len(request.body) for request in asked))


def _of(said: Predictions, rows: NDArray[np.bool_]) -> Predictions:
    """Some of the rows."""
    values, labels, width = said
    return Predictions(
        None if values is None else [*compress(values, np.repeat(rows, width).tolist())],
        None if labels is None else [*compress(labels, rows.tolist())],
        width,
    )


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
    capture.outlet.start()
    return capture
