"""Watches: a queue of changes that one reader empties, filtered by selectors.

A reader that falls more than `LIMIT` changes behind gets an ERROR (410 Expired) and nothing
more; it must list again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from pawl.local.api import errors
from pawl.local.api.selectors import Filter
from pawl.local.api.store import Change, Item, Key, Obj, Table

LIMIT = 10_000


class WatchEvent(NamedTuple):
    type: str  # ADDED | MODIFIED | DELETED | ERROR
    object: Obj


class Watch:
    """Iterates over WatchEvents until `close`. `take` hands out all that is waiting at once."""

    def __init__(self, table: Table, namespace: str, wanted: Filter | None) -> None:
        self._table = table
        self._namespace = namespace
        self._filter = wanted
        self._waiting: deque[Change] = deque()
        self._wake: asyncio.Future[None] | None = None
        self.closed = False
        self.failed: errors.ApiError | None = None
        table.listeners.append(self)

    def replay(self, since: int) -> None:
        """Queue what has happened after revision `since`. ApiError 410 when that is forgotten."""
        for change in self._table.since(since):
            self.offer(change)

    def begin(self) -> None:
        """Queue what exists now as ADDED."""
        for key, item in self._table.pairs(self._namespace):
            if self._filter is None or self._filter(item.obj):
                self._waiting.append(Change("ADDED", key, item, None))

    def take(self) -> list[Change]:
        found = list(self._waiting)
        self._waiting.clear()
        return found

    async def wait(self, seconds: float | None = None) -> None:
        """Until something is waiting, the watch has ended, or `seconds` have passed."""
        if self._waiting or self.closed:
            return
        self._wake = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._wake
        except TimeoutError:
            pass
        finally:
            self._wake = None

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._table.listeners.remove(self)
            self._notify()

    def fail(self, error: errors.ApiError) -> None:
        """End the watch with an ERROR event."""
        self.failed = error
        self._waiting.clear()
        self.close()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> WatchEvent:
        while not self._waiting:
            if self.closed:
                if self.failed is None:
                    raise StopAsyncIteration
                status, self.failed = self.failed.status(), None
                return WatchEvent("ERROR", status)
            await self.wait()
        change = self._waiting.popleft()
        return WatchEvent(change.type, change.item.obj)

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def offer(self, change: Change) -> None:
        """Queue a change if this watch is about it."""
        if self._namespace and change.key.namespace != self._namespace:
            return
        seen = change if self._filter is None else _filtered(change, self._filter)
        if seen is None:
            return
        self._waiting.append(seen)
        if len(self._waiting) > LIMIT:
            self.fail(errors.expired("too many changes are waiting for this watcher"))
        self._notify()


def _filtered(change: Change, wanted: Filter) -> Change | None:
    """The change as a reader sees it that only sees objects that match."""
    now = change.type != "DELETED" and wanted(change.item.obj)
    before = change.previous is not None and wanted(change.previous.obj)
    if now:
        kind = "MODIFIED" if before else "ADDED"
        return change if kind == change.type else _as(change, kind, change.item)
    if not before:
        return None
    if change.type == "DELETED":
        return change
    assert change.previous is not None  # noqa: S101 - `before` says so
    return _as(change, "DELETED", _last_seen(change.previous, change.revision))


def _as(change: Change, kind: str, item: Item) -> Change:
    return Change(kind, Key(*change.key), item, change.previous)


def _last_seen(item: Item, revision: int) -> Item:
    """The state that matched last, at the revision at which it matched no more."""
    metadata = {**item.obj["metadata"], "resourceVersion": str(revision)}
    return Item({**item.obj, "metadata": metadata}, revision)
