"""Runs controllers: one watch per resource wakes keys, one worker reconciles them in turn.

All work of a key (observe, plan, apply) happens in one go on the event loop, so a controller
never acts on a state that another has changed meanwhile. Between two keys the loop is free for
everything else in the process.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.api.store import Table
from pawl.local.controllers.changes import EVERYTHING
from pawl.local.controllers.objects import Obj, key_of
from pawl.local.controllers.queue import WorkQueue

CRDS = "apiextensions.k8s.io/customresourcedefinitions"

log = logging.getLogger(__name__)


class Controller(Protocol):
    """Level-triggered: `reconcile` looks at everything anew, whatever woke the key."""

    name: str

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Any]]]:
        """By resource: which of the controller's keys an object (added, changed, gone) wakes."""
        ...

    def reconcile(self, key: Any, now: datetime) -> float | None:
        """Do what is due; in how many seconds to look again, if nothing changes until then."""
        ...


class Item(NamedTuple):
    controller: int
    key: Hashable


class Host:
    def __init__(self, registry: Registry, controllers: Sequence[Controller]) -> None:
        self._registry = registry
        self._controllers = controllers
        self._queue: WorkQueue[Item] = WorkQueue()
        self._watches: dict[str, tuple[Table, asyncio.Task[None]]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            self._watch_all(group)
            worker = group.create_task(self._work())
            await stop.wait()
            worker.cancel()
            for _, task in self._watches.values():
                task.cancel()

    def _watch_all(self, group: asyncio.TaskGroup) -> None:
        """Watch all that is asked for and served: CRDs, and what they store, come and go."""
        asked = {resource for c in self._controllers for resource in c.watches}
        served = {resource.table for resource in self._registry.catalog.stored()}
        wanted = served if EVERYTHING in asked else served & asked
        tables = {resource: self._registry.store.table(resource) for resource in sorted(wanted)}
        for resource, (table, task) in list(self._watches.items()):
            if tables.get(resource) is not table:
                task.cancel()
                del self._watches[resource]
        for resource, table in tables.items():
            if resource not in self._watches:
                task = group.create_task(self._watch(resource, group))
                self._watches[resource] = (table, task)

    async def _watch(self, resource: str, group: asyncio.TaskGroup) -> None:
        while any(served.table == resource for served in self._registry.catalog.stored()):
            await self._follow(resource, group)

    async def _follow(self, resource: str, group: asyncio.TaskGroup) -> None:
        """Wake keys by what exists and then by what changes, until the watch ends."""
        watch = self._registry.watch(resource)
        try:
            for obj in self._registry.list(resource):
                self._wake(resource, obj)
            async for event in watch:
                if event.type == "ERROR":  # we were too slow: list again
                    return
                self._wake(resource, event.object)
                if resource == CRDS:
                    self._watch_all(group)
        finally:
            watch.close()

    def _wake(self, resource: str, obj: Obj) -> None:
        for number, controller in enumerate(self._controllers):
            watches = controller.watches
            for keys_of in filter(None, (watches.get(resource), watches.get(EVERYTHING))):
                try:
                    for key in keys_of(obj):
                        self._queue.add(Item(number, key))
                except Exception:
                    # one odd object must not stop the watch for all others
                    log.exception("%s: %s %s", controller.name, resource, key_of(obj))

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            self._reconcile(item)
            await asyncio.sleep(0)

    def _reconcile(self, item: Item) -> None:
        controller = self._controllers[item.controller]
        try:
            again = controller.reconcile(item.key, datetime.now(UTC))
        except ApiError as error:
            delay = self._queue.retry(item)
            log.debug("%s %s: %s, again in %.3f s", controller.name, item.key, error, delay)
        except Exception:
            delay = self._queue.retry(item)
            log.exception("%s %s: again in %.3f s", controller.name, item.key, delay)
        else:
            self._queue.forget(item)
            if again is not None:
                self._queue.add_after(item, again)
