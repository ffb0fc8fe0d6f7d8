"""Kopf as the host: it watches our kinds, answers the liveness probe and wakes the queue.

Nothing else: its state machine would write to the users' objects (docs/decisions).
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any, cast

import kopf

from pawl.constants import COMPONENT, GROUP, VERSION
from pawl.control.cache import Cache
from pawl.control.kinds import OURS, Resource
from pawl.control.queue import Key, Queue
from pawl.control.settings import Settings


def take_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop` from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def host(settings: Settings, queue: Queue, cache: Cache, stop: asyncio.Event) -> None:
    """Runs until it is cancelled; raises when kopf cannot go on.

    Kopf takes the signals when it starts, and would end a process by waiting in vain for tasks that
    are not its own, and by raising what went wrong in them; so they are taken back.
    """
    registry = kopf.OperatorRegistry()
    for resource in OURS:
        _watch(registry, resource, queue, cache)
    kopf.on.login(registry=registry)(_login)
    ready = asyncio.Event()
    waiting = asyncio.create_task(_take_signals_back(ready, stop))
    try:
        await kopf.operator(
            registry=registry,
            settings=_options(settings.namespaces),
            standalone=True,
            identity=cast(Any, COMPONENT),  # else it asks for the user, and a uid may have no name
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            liveness_endpoint=settings.liveness_url,
            ready_flag=ready,
        )
    finally:
        waiting.cancel()
    stop.set()  # a signal came before they were taken back


def _watch(registry: kopf.OperatorRegistry, resource: Resource, queue: Queue, cache: Cache) -> None:
    @kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=resource.plural)
    async def wake(namespace: str | None, name: str | None, body: kopf.Body, **_: Any) -> None:
        if not cache.knows(resource, body):
            queue.add(Key(resource.kind, namespace or "", name or ""))


async def _take_signals_back(ready: asyncio.Event, stop: asyncio.Event) -> None:
    await ready.wait()
    take_signals(stop)


class _NothingToCompare(kopf.DiffBaseStorage):
    """Kopf compares the states of an object for handlers of changes, which we have not got: it
    would copy every object for every event, and that is most of what an event costs."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


def _options(namespaces: tuple[str, ...]) -> kopf.OperatorSettings:
    options = kopf.OperatorSettings()
    # who may look into some namespaces only cannot list which there are
    options.scanning.disabled = bool(namespaces)
    options.posting.enabled = False
    options.peering.standalone = True
    options.persistence.finalizer = f"{GROUP}/unused"
    options.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    options.persistence.diffbase_storage = _NothingToCompare()
    return options


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """In a pod by its service account, else by KUBECONFIG. Asked again when a token expires."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
