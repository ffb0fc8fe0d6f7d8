"""Kopf as the host: it watches our kinds, answers the liveness probe and wakes the queue.

Nothing else: its state machine would write to the users' objects (docs/decisions). It has a thread
and an event loop of its own, since it takes every task of its loop for one of its own, and cancels
all of them when its run ends, as it does after some errors of an API server.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import kopf

from pawl.constants import COMPONENT, GROUP, VERSION
from pawl.control.cache import Cache
from pawl.control.kinds import OURS, Resource
from pawl.control.queue import Key, Queue
from pawl.control.settings import Settings

_LAST_PAUSE, _HEALTHY_AFTER = 30.0, 60.0
_PATIENCE = 2.0  # seconds for kopf to end in order
log = logging.getLogger(__name__)


def take_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop` from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def host(settings: Settings, queue: Queue, cache: Cache) -> None:
    """Runs until it is cancelled. When kopf's run ends another one begins: meanwhile our own
    reflectors wake the queue."""
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # no signals: we know
    loop, pause = asyncio.get_running_loop(), 1.0

    def changed(resource: Resource, body: dict[str, Any]) -> None:
        meta = body["metadata"]
        if not cache.knows(resource, body):
            queue.add(Key(resource.kind, meta.get("namespace", ""), meta["name"]))

    while True:
        begun, registry = time.monotonic(), _registry(loop, changed)
        error = await _Run(settings, registry).ended()
        log.warning("kopf's run ended, another one in %.0f s: %r", pause, error)
        await asyncio.sleep(pause)
        lasted = time.monotonic() > begun + _HEALTHY_AFTER
        pause = 1.0 if lasted else min(2 * pause, _LAST_PAUSE)


class _Run:
    """One run of kopf, from its making on."""

    def __init__(self, settings: Settings, registry: kopf.OperatorRegistry) -> None:
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Exception | None] = self._loop.create_future()
        target = (settings, registry)
        self._thread = threading.Thread(target=self._work, args=target, name="kopf", daemon=True)
        self._thread.start()

    async def ended(self) -> Exception | None:
        """What it ended with. When this is cancelled it is told to end."""
        try:
            return await asyncio.shield(self._ended)
        finally:
            self._stop.set()
            await asyncio.wait([self._ended], timeout=_PATIENCE)

    def _work(self, settings: Settings, registry: kopf.OperatorRegistry) -> None:
        error = None
        try:
            asyncio.run(self._operator(settings, registry))
        except Exception as what:
            error = what
        with suppress(RuntimeError):  # our loop is over already
            self._loop.call_soon_threadsafe(self._ended.set_result, error)

    async def _operator(self, settings: Settings, registry: kopf.OperatorRegistry) -> None:
        try:
            await kopf.operator(
                registry=registry,
                settings=_options(settings.namespaces),
                standalone=True,
                identity=cast(Any, COMPONENT),  # else it asks who runs, and a uid may have no name
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                liveness_endpoint=settings.liveness_url,
                stop_flag=self._stop,
            )
        finally:
            self._stop.set()  # a thread of its loop waits for it, and its loop for that thread


def _registry(
    loop: asyncio.AbstractEventLoop, changed: Callable[[Resource, dict[str, Any]], None]
) -> kopf.OperatorRegistry:
    """`changed` is called in `loop`; who asks whether this process lives waits for `loop` too."""
    registry = kopf.OperatorRegistry()

    def watch(resource: Resource) -> None:
        @kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=resource.plural)
        async def wake(body: kopf.Body, **_: Any) -> None:
            loop.call_soon_threadsafe(changed, resource, dict(body))

    for resource in OURS:
        watch(resource)

    @kopf.on.probe(registry=registry, id="loop")
    async def lives(**_: Any) -> str:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop))
        return "lives"

    kopf.on.login(registry=registry)(_login)
    return registry


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
