"""The operator process: its parts, from the first signal of life to the last."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

from pawl.control import exposition
from pawl.control.baselines import Baselines
from pawl.control.cache import Cache
from pawl.control.elector import Elector, TermError
from pawl.control.executor import Executor
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS
from pawl.control.kube import Kube
from pawl.control.labels import Labels
from pawl.control.listen import lives, page
from pawl.control.loop import Loop
from pawl.control.measure import Measure
from pawl.control.metrics import LEADER
from pawl.control.monitors import Monitors
from pawl.control.notify import Notifier
from pawl.control.observe import Observer
from pawl.control.old_hours import OldHours
from pawl.control.openlineage import OpenLineage
from pawl.control.outside import Outside
from pawl.control.prometheus import Prometheus
from pawl.control.queue import Queue
from pawl.control.records import Records
from pawl.control.refusals import Refusals
from pawl.control.reports import TrainLogs
from pawl.control.retention import Objects, Retention
from pawl.control.routers import Routers
from pawl.control.searches import Searches
from pawl.control.series import Series
from pawl.control.settings import Settings
from pawl.control.tracking import Tracker
from pawl.control.webhooks import Webhooks
from pawl.control.windows import Windows

log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT, or until a part of it dies (then it raises). With a lease it
    stands by until it holds it; when it loses it the process exits with 1."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if settings.lease is None:
        await _run(settings, stop, None)
        return
    kube = await Kube.connect()
    elector = Elector(kube, settings.lease)
    lost = False
    try:
        await _run(settings, stop, elector)
    except* TermError:
        lost = True  # not raised from here: that would be a group again
    finally:
        await kube.close()
    if lost:
        raise SystemExit(1)


async def _run(settings: Settings, stop: asyncio.Event, elector: Elector | None) -> None:
    may_write: Callable[[], None] = elector.check if elector is not None else lambda: None
    kube, routers, monitors = await Kube.connect(may_write=may_write), Routers(), Monitors()
    address = settings.installation.prometheus
    prometheus = Prometheus(address) if address else None
    records = Records(settings.installation)
    queue = Queue(closed=True)
    cache = Cache(kube, settings.namespaces, queue.add)
    measure, labels = Measure(monitors, prometheus), Labels(monitors)
    scraped = Series(prometheus) if prometheus else None
    windows = Windows(monitors, Baselines(records.kept_hours), scraped)
    logs, refusals = TrainLogs(kube), Refusals(kube)
    searches = Searches(records.trials, logs, queue.add)
    outside = Outside(kube, private=settings.notify_private)
    tracker = Tracker(outside, records, queue.add, may_write=may_write)
    observer = Observer(
        cache, kube, records, routers, measure, windows, labels, searches, logs, refusals, tracker
    )
    notifier = Notifier(kube, Webhooks(outside).send)
    lineage = _lineage(settings, kube, cache)
    executor = Executor(
        kube, cache, records, notifier=notifier, lineage=lineage, may_write=may_write
    )
    work = Loop(queue, cache, observer, executor, settings.installation)
    try:
        async with (
            _liveness(settings),
            _metrics(settings, cache, queue),
            asyncio.TaskGroup() as group,
        ):
            sweeps = _retention(settings, kube)
            old = OldHours(records.kept_hours, settings.namespaces)
            working = group.create_task(_work(settings, cache, queue, work, elector, sweeps, old))
            await stop.wait()
            working.cancel()
    finally:
        await searches.close()
        records.close()
        await tracker.close()
        if elector is not None:
            await elector.release()  # the next one begins while this one sends what waits
        told = [each.close() for each in (notifier, lineage) if each is not None]
        await asyncio.gather(*told)
        for connection in (
            outside,
            routers,
            monitors,
            prometheus,
            kube,
        ):
            if connection is not None:
                await connection.close()


def _lineage(settings: Settings, kube: Kube, cache: Cache) -> OpenLineage | None:
    if settings.openlineage is None:
        return None
    versions_of = partial(cache.of_model, MODEL_VERSIONS)
    return OpenLineage(kube, settings.installation.id, settings.openlineage, versions_of)


def _liveness(settings: Settings) -> AbstractAsyncContextManager[None]:
    probe = settings.liveness
    return page(probe.address, probe.path, lives) if probe is not None else nullcontext()


def _metrics(settings: Settings, cache: Cache, queue: Queue) -> AbstractAsyncContextManager[None]:
    address = settings.metrics
    return exposition.serve(address, cache, queue) if address is not None else nullcontext()


def _retention(settings: Settings, kube: Kube) -> Retention | None:
    policy, installation = settings.retention, settings.installation
    return Retention(kube, installation.store, installation.id, policy) if policy else None


async def _work(
    settings: Settings,
    cache: Cache,
    queue: Queue,
    loop: Loop,
    elector: Elector | None,
    sweeps: Retention | None,
    old: OldHours,
) -> None:
    """Once everything that there is has been seen, and the lease is held, if there is one."""
    async with asyncio.TaskGroup() as group:
        reflecting = [group.create_task(reflector.run()) for reflector in cache.reflectors]
        await cache.synced()
        if elector is not None:
            log.info("standing by")
            await elector.acquire()
            group.create_task(_hold(elector))
            # Listed again, since a watch may be behind what the last holder has written.
            for task in reflecting:
                task.cancel()
            await asyncio.wait(reflecting)
            for reflector in cache.reflectors:
                group.create_task(reflector.run())
            await cache.synced()
        LEADER.set(1)
        _settle()
        log.info("watching %s", ", ".join(settings.namespaces) or "all namespaces")
        queue.open()
        for _ in range(settings.workers):
            group.create_task(loop.work())
        group.create_task(loop.resync(settings.resync_seconds))
        group.create_task(old.run(partial(cache.all, DEPLOYMENTS)))
        if sweeps is not None:
            known = partial(Objects.of, cache.all, settings.namespaces)
            group.create_task(sweeps.run(known))


def _settle() -> None:
    """What is loaded stays: the collector need not look at it again, nor come often (a quarter of
    the CPU time, when a thousand objects come at once)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(7_000, 10, 10)


async def _hold(elector: Elector) -> None:
    """Never returns. Once the lease is lost nothing can be written, and this process has a little
    time to end in order."""
    try:
        await elector.renew()
    except TermError as error:
        log.error("%s; this process ends", error)
        last = threading.Timer(elector.grace, os._exit, [1])
        last.daemon = True
        last.start()
        raise
