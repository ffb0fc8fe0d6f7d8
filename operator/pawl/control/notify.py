"""Tells the webhooks of a Deployment (spec.notify) what happened to it.

What is told waits in a queue of the webhook, of bounded length, and is sent by a task of its own:
a receiver that hangs delays neither reconciling nor other webhooks. What it does not take is sent
again, with growing pauses, for about ten minutes. What it never took is counted, and the Deployment
gets an event that says so, once an hour at most. What waits when the operator ends is tried once
more, for some seconds together; when it is killed, that is lost: the status and the Kubernetes
events are the record.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pawl.api.notify import OCCURRENCES, Notify
from pawl.control import events
from pawl.control.cloudevents import Message, message
from pawl.control.kube import Kube
from pawl.control.metrics import NOTIFICATIONS
from pawl.control.outside import UnavailableError
from pawl.control.webhooks import Target
from pawl.core.plan import Event
from pawl.errors import PawlError

Object = Mapping[str, Any]
Send = Callable[[Target, Message], Awaitable[None]]
log = logging.getLogger(__name__)
#: Seconds before each further try; chance takes up to a half off.
PAUSES = (1, 4, 15, 60, 200, 400)
#: What may wait for one webhook; then the oldest goes.
MOST_WAITING = 50
#: Seconds for which what waits is still sent when the operator ends.
LAST_SECONDS = 5.0
_HOUR = 3600.0
_FEW = 1000


@dataclass
class _Line:
    """What waits for a webhook, each with the object it is about, and how many were lost since
    that was `told`."""

    waiting: deque[tuple[Object, Message]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    lost: int = 0
    told: float | None = None

    @property
    def idle(self) -> bool:
        return self.task is None or self.task.done()


async def until(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, so many seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Notifier:
    """Queues, one for each webhook; `send` makes one try (`Webhooks.send`)."""

    def __init__(
        self,
        kube: Kube,
        send: Send,
        *,
        pause: Callable[[asyncio.Event, float], Awaitable[None]] = until,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._send = send
        self._pause = pause
        self._clock = clock
        self._lines: dict[Target, _Line] = {}
        self._closing = asyncio.Event()

    async def close(self, seconds: float = LAST_SECONDS) -> None:
        """Tries once more what waits, for so many seconds, then ends all sending. Nothing may be
        queued any more."""
        self._closing.set()
        tasks = {line.task for line in self._lines.values() if line.task is not None}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        left = len(late) + sum(len(line.waiting) for line in self._lines.values())
        if left:
            log.warning("%d notifications were not sent before the end", left)

    def tell(self, item: Object, status: Object, event: Event) -> None:
        """Queues an event on the Deployment `item`, whose status is by now `status`, for the
        webhooks that want it."""
        meta = item["metadata"]
        told = message(item, status, event, datetime.now(UTC))
        for raw in item["spec"].get("notify") or ():
            wanted = Notify.model_validate(raw)
            if event.reason in (wanted.events or OCCURRENCES):
                name = wanted.secret_name
                self.put(Target(meta["namespace"], meta["name"], wanted.webhook, name), item, told)

    def put(self, target: Target, item: Object, told: Message) -> None:
        """Queues what is `told` about `item`."""
        line = self._line(target)
        if len(line.waiting) == MOST_WAITING:
            line.waiting.popleft()
            line.lost += 1
            NOTIFICATIONS.labels("lost").inc()
        line.waiting.append((item, told))
        if line.idle:
            line.task = asyncio.create_task(self._send_all(target, line))

    def _line(self, target: Target) -> _Line:
        if target not in self._lines and len(self._lines) >= _FEW:
            self._forget_what_is_over()
        return self._lines.setdefault(target, _Line())

    def _forget_what_is_over(self) -> None:
        """So that memory does not grow with all that ever was."""
        since = self._clock() - _HOUR
        self._lines = {
            target: line
            for target, line in self._lines.items()
            if not line.idle or (line.told is not None and line.told > since)
        }

    async def _send_all(self, target: Target, line: _Line) -> None:
        while line.waiting:
            item, told = line.waiting.popleft()
            try:
                await self._send_one(target, line, item, told)
            except Exception:
                # A defect of ours must not stop what waits behind it.
                log.exception("notifying failed")

    async def _send_one(self, target: Target, line: _Line, item: Object, told: Message) -> None:
        try:
            await self._deliver(target, told)
            NOTIFICATIONS.labels("delivered").inc()
        except PawlError as error:
            line.lost += 1
            NOTIFICATIONS.labels("lost").inc()
            await self._complain(target, line, item, str(error))

    async def _deliver(self, target: Target, told: Message) -> None:
        for pause in PAUSES:
            try:
                await self._send(target, told)
            except UnavailableError as error:
                if self._closing.is_set():
                    raise
                log.debug("%s of %s: %s, again later", target.host, target.name, error)
            else:
                return
            seconds = pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            await self._pause(self._closing, seconds)
        await self._send(target, told)

    async def _complain(self, target: Target, line: _Line, item: Object, why: str) -> None:
        if self._closing.is_set():  # no right to write any more
            log.warning("a notification to %s was not delivered: %s", target.host, why)
            return
        now = self._clock()
        if line.told is not None and now - line.told < _HOUR:
            return
        what = "1 notification was" if line.lost == 1 else f"{line.lost} notifications were"
        line.lost, line.told = 0, now
        text = f"{what} not delivered to {target.host}: {why}"
        await events.tell(self._kube, item, Event("NotifyFailed", text, "Warning"))
