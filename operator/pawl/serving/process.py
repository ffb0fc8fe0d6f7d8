"""The life of one serving process: listen, load, answer, drain, stop.

It is alive from the start, ready once the model is verified and loaded. SIGTERM: readiness fails
while requests are answered for `drain` seconds more (routers and DNS caches must notice first);
towards the end answers close their connections; then what is in flight is finished and the process
exits with 0. A second SIGTERM (or SIGINT) skips the rest of the drain.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pawl import constants
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.redact import redact
from pawl.artifacts.retry import describe
from pawl.artifacts.runs import LastWords
from pawl.errors import PawlError, StoreError
from pawl.serving.counters import Counters
from pawl.serving.dataplane import Dataplane, Served
from pawl.serving.http.exchange import Exchange
from pawl.serving.http.routes import Router
from pawl.serving.http.server import HttpLimits, HttpServer
from pawl.serving.loading import load
from pawl.serving.monitor.monitor import Monitor
from pawl.serving.settings import Settings
from pawl.serving.supervisor import MonitorPart

if TYPE_CHECKING:  # what is not used is not loaded
    from opentelemetry.trace import Tracer

LOGGER = logging.getLogger(__name__)
GRACE_SECONDS = 10.0
#: Before the end of the drain, in which answers close their connections.
RETIRE_SECONDS = 5.0
_MAX_MESSAGE = 1000
#: Where a kubelet reads the termination message unless the pod says otherwise.
_KUBELET_LOG = Path("/dev/termination-log")


class Process:
    """One event loop that serves one model."""

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        part: MonitorPart | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._monitor = Monitor(settings, counters, part) if part is not None else None
        recorder = self._monitor.recorder if self._monitor is not None else None
        self._dataplane = Dataplane(settings, counters, recorder)
        limits = HttpLimits(
            max_body_bytes=settings.max_body_bytes,
            max_connections=settings.max_connections,
            request_timeout=settings.request_timeout,
            keep_alive=settings.keep_alive,
        )
        self._http = HttpServer(
            Router(self._dataplane).handle,
            counters,
            limits,
            recorder,
            _traced(settings, tracer),
        )
        self._term = asyncio.Event()
        self._hurry = asyncio.Event()
        self._stop_loading = threading.Event()

    def stop(self, *, now: bool = False) -> None:
        """Begins the way out; the second time, or with `now`, without waiting."""
        if self._term.is_set() or now:
            self._hurry.set()
        self._term.set()
        self._stop_loading.set()

    async def run(self, listener: socket.socket) -> int:
        """Serves until it is told to stop; gives the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, lambda: self.stop(now=True))
        # A process that replaces a dead one must not take connections that the others can answer.
        late = self._counters.ready
        if self._monitor is not None:
            await self._monitor.start()
        if not late:
            self._dataplane.begin()
            await self._http.start(listener)
        loading = asyncio.ensure_future(self._load())
        stopped = asyncio.ensure_future(self._term.wait())
        await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not loading.done():
            loading.cancel()
            await self._http.close(GRACE_SECONDS)
            return 0
        try:
            served = loading.result()
        except Exception as error:
            stopped.cancel()
            await self._http.close(0)
            return self._failed(error)
        self._install(served)
        if late:
            await self._http.start(listener)
        _settle()
        self._say_ready(served)
        await stopped
        await self._drain()
        return 0

    def _install(self, served: Served) -> None:
        capture, sealer, taker = None, None, None
        if self._settings.capture is not None:
            from pawl.serving.capture.capture import capture_of  # noqa: PLC0415

            capture = capture_of(self._settings, served.sent, self._counters)
        if self._monitor is not None:
            told = capture.told if capture is not None else None
            sealer, taker = self._monitor.install(served.signature, served.baseline, told)
        self._dataplane.install(served, sealer, taker, capture)

    async def _load(self) -> Served:
        """In a thread of its own, which a process that stops does not wait for."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Served] = loop.create_future()

        def settle(served: Served | None, error: Exception | None) -> None:
            if result.done():
                return
            if error is not None:
                result.set_exception(error)
            elif served is not None:
                result.set_result(served)

        def work() -> None:
            served: Served | None = None
            failure: Exception | None = None
            try:
                served = load(self._settings, self._stop_loading.wait)
            except Exception as error:
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, served, failure)

        threading.Thread(target=work, name="pawl-load", daemon=True).start()
        return await result

    def _failed(self, error: Exception) -> int:
        """Says why there is no model, in the log and in the termination message."""
        if not isinstance(error, PawlError | FileNotFoundError):
            LOGGER.error("the model could not be loaded", exc_info=error)
        reason = error.reason if isinstance(error, PawlError) else "LoadingFailed"
        message = redact(str(error)) if isinstance(error, PawlError) else describe(error)
        if isinstance(error, FileNotFoundError):
            reason = "ModelNotFound"
            message = f"{redact(self._settings.artifact_uri)} is not there, or not whole"
        LOGGER.error(
            "there is no model to serve", extra={"fields": {"reason": reason, "error": message}}
        )
        log = self._settings.termination_log
        if log is not None or _KUBELET_LOG.exists():
            with suppress(OSError):
                words = LastWords(reason=reason, message=message[:_MAX_MESSAGE])
                (log or _KUBELET_LOG).write_bytes(canonical_json(words))
        if isinstance(error, StoreError):
            return constants.EXIT_STORE_UNREACHABLE
        return constants.EXIT_USER_ERROR

    def _say_ready(self, served: Served) -> None:
        LOGGER.info(
            "ready",
            extra={
                "fields": {
                    "model": self._settings.model,
                    "version": self._settings.version,
                    "digest": self._settings.artifact_digest,
                    "engine": served.engine.name,
                    "batching": served.batchable,
                    "loadSeconds": round(served.load_seconds, 3),
                }
            },
        )

    async def _drain(self) -> None:
        drain = self._settings.drain
        LOGGER.info("draining", extra={"fields": {"seconds": drain}})
        self._dataplane.drain()
        last = min(RETIRE_SECONDS, drain / 2)
        await self._pause(drain - last)
        self._http.retire()
        await self._pause(last)
        await self._http.close(GRACE_SECONDS)
        if self._monitor is not None:
            await self._monitor.close()
        self._dataplane.close()
        LOGGER.info("stopped")

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)


def _traced(settings: Settings, tracer: Tracer | None) -> Callable[[Exchange], None] | None:
    if tracer is None:
        return None
    from pawl.serving.traces import of_infer  # noqa: PLC0415

    return of_infer(tracer, settings.model, settings.version)


def _settle() -> None:
    """What is loaded stays: the collector need not look at it again, nor come often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
