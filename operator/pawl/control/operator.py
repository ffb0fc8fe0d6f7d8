"""The operator process: kopf hosts and wakes, our own loop works."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any, cast

import kopf

from pawl.constants import COMPONENT, GROUP, VERSION
from pawl.control.cache import Cache
from pawl.control.executor import Executor
from pawl.control.kinds import OURS
from pawl.control.kube import Kube
from pawl.control.loop import Loop
from pawl.control.measure import Measure
from pawl.control.monitors import Monitors
from pawl.control.observe import Observer
from pawl.control.prometheus import Prometheus
from pawl.control.queue import Key, Queue
from pawl.control.records import Records
from pawl.control.routers import Routers
from pawl.control.settings import Settings

log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT, or until a part of it dies (then it raises)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    kube, routers, monitors = await Kube.connect(), Routers(), Monitors()
    address = settings.installation.prometheus
    prometheus = Prometheus(address) if address else None
    records = Records(settings.installation)
    queue = Queue()
    cache = Cache(kube, settings.namespaces, queue.add)
    observer = Observer(cache, kube, records, routers, Measure(monitors, prometheus))
    work = Loop(queue, cache, observer, Executor(kube, cache, records), settings.installation)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reflector.run()) for reflector in cache.reflectors]
            tasks.append(group.create_task(_host(settings, queue, stop)))
            await cache.synced()
            log.info("watching %s", ", ".join(settings.namespaces) or "all namespaces")
            tasks += [group.create_task(work.work()) for _ in range(settings.workers)]
            tasks.append(group.create_task(work.resync(settings.resync_seconds)))
            await stop.wait()
            for task in tasks:
                task.cancel()
    finally:
        records.close()
        for connection in (routers, monitors, prometheus, kube):
            if connection is not None:
                await connection.close()


async def _host(settings: Settings, queue: Queue, stop: asyncio.Event) -> None:
    """Kopf watches our kinds and answers the liveness probe. It is told to wake the queue and
    nothing else: its state machine would write to the users' objects (docs/decisions)."""
    registry = kopf.OperatorRegistry()
    for resource in OURS:

        @kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=resource.plural)
        async def wake(namespace: str | None, name: str | None, body: kopf.Body, **_: Any) -> None:
            queue.add(Key(body["kind"], namespace or "", name or ""))

    kopf.on.login(registry=registry)(_login)
    options = kopf.OperatorSettings()
    options.posting.enabled = False
    options.peering.standalone = True
    options.persistence.finalizer = f"{GROUP}/unused"
    options.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    options.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    await kopf.operator(
        registry=registry,
        settings=options,
        standalone=True,
        identity=cast(Any, COMPONENT),  # else kopf asks for the user, and a uid may have no name
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        liveness_endpoint=settings.liveness_url,
    )
    stop.set()  # kopf took the signal, or it could not go on and has raised


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """In a pod by its service account, else by KUBECONFIG. Asked again when a token expires."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
