"""Keeps tracking servers as TrainingJobs say (spec.tracking), beside the reconcile loop, which
never waits for it. What a server did not take is tried again, for as long as it is not there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pawl.api.tracking import TrackedStatus
from pawl.control.outside import Outside, RefusedError
from pawl.control.queue import Key
from pawl.control.records import Records
from pawl.control.tracked import Wanted, Writer, wanted_of
from pawl.core.tracking import TrackingObserved
from pawl.errors import PawlError

Object = Mapping[str, Any]
#: Seconds before the next try, doubled with each failure.
_FIRST, _LAST = 5.0, 300.0
#: Servers that are written to at once.
_MOST = 4
log = logging.getLogger(__name__)


@dataclass
class _Line:
    """What is known of one TrainingJob."""

    writer: Writer
    written: Wanted | None = None
    status: TrackedStatus | None = None
    task: asyncio.Task[None] | None = None
    failure: PawlError | None = None
    failures: int = 0
    again: float = 0.0


class Tracker:
    """Of all TrainingJobs; `wake` looks at one again. `may_write` is called before each write and
    raises when it must not be."""

    def __init__(
        self,
        outside: Outside,
        records: Records,
        wake: Callable[[Key], None],
        may_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = partial(Writer, outside, records, may_write)
        self._wake = wake
        self._lines: dict[str, _Line] = {}
        self._places = asyncio.Semaphore(_MOST)

    def look(self, item: Object, versions: Collection[Object]) -> TrackingObserved | None:
        """What is known by now; where something is to be written, that begins."""
        wanted = wanted_of(item, versions)
        if wanted is None:
            return None
        line = self._lines.setdefault(wanted.uid, _Line(self._writer()))
        now = asyncio.get_running_loop().time()
        done = line.written == wanted
        if not done and (line.task is None or line.task.done()) and now >= line.again:
            line.task = asyncio.create_task(self._work(line, wanted))
        if line.failure is not None:
            host = urlsplit(wanted.spec.uri).hostname
            reason = f"Mlflow{line.failure.reason}"
            again = max(1.0, line.again - now)
            return TrackingObserved(line.status, False, reason, f"{host}: {line.failure}", again)
        return TrackingObserved(line.status, done)

    def forget(self, uids: Collection[str]) -> None:
        """What is known of TrainingJobs that are not among `uids`."""
        for uid in self._lines.keys() - set(uids):
            line = self._lines.pop(uid)
            if line.task is not None:
                line.task.cancel()

    async def close(self) -> None:
        """Ends all writing."""
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, line: _Line, wanted: Wanted) -> None:
        try:
            async with self._places:
                line.status = await line.writer.write(wanted)
            line.written, line.failure, line.failures = wanted, None, 0
        except (KeyError, TypeError, AttributeError) as error:
            log.debug("what MLflow answered", exc_info=error)
            self._failed(line, RefusedError("it answers what MLflow does not"))
        except PawlError as error:
            self._failed(line, error)
        self._wake(wanted.key)

    def _failed(self, line: _Line, why: PawlError) -> None:
        delay = min(_FIRST * 2.0 ** min(line.failures, 10), _LAST)
        line.failure, line.failures = why, line.failures + 1
        line.again = asyncio.get_running_loop().time() + delay
