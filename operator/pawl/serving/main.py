"""Starts what the environment asks for: one serving process, or a supervisor of several."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from time import time
from typing import Any

from pawl import constants, tracing
from pawl.errors import UserError
from pawl.serving import log
from pawl.serving.counters import Counters
from pawl.serving.settings import Settings
from pawl.serving.supervisor import ENV_WORKER, MonitorPart, Supervisor, Worker, listen

LOGGER = logging.getLogger(__name__)


def main() -> None:
    """Ends the process with the exit code that `constants` and docs/serving.md explain."""
    log.configure()
    try:
        settings = Settings.from_env(os.environ)
    except UserError as error:
        LOGGER.error("the settings are wrong", extra={"fields": {"error": str(error)}})
        _exit(constants.EXIT_USER_ERROR)
    worker = os.environ.get(ENV_WORKER)
    try:
        if worker:
            _exit(_worker(settings, Worker.parse(worker)))
        if settings.processes > 1:
            _exit(Supervisor(settings).run())
        listener = listen(settings, settings.port, shared=False)
        monitor = None
        if settings.monitor_port is not None:
            monitor = MonitorPart(listen(settings, settings.monitor_port, shared=False), time())
        _exit(_serve(settings, Counters(), listener, monitor))
    except OSError as error:
        LOGGER.error("cannot listen", extra={"fields": {"error": str(error)}})
        _exit(constants.EXIT_USER_ERROR)


def _worker(settings: Settings, worker: Worker) -> int:
    # The supervisor takes its signals one by one, and the mask is inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    counters = Counters(worker.blocks, worker.index, worker.memory)
    listener = socket.socket(fileno=worker.listener)
    monitor = None
    if worker.monitor_listener >= 0:
        monitor = MonitorPart(
            socket.socket(fileno=worker.monitor_listener),
            worker.started / 1000,
            settings.processes,
            worker.index,
            worker.monitor_memory,
        )
    return _serve(settings, counters, listener, monitor, lifeline=worker.lifeline)


def _serve(
    settings: Settings,
    counters: Counters,
    listener: socket.socket,
    monitor: MonitorPart | None,
    *,
    lifeline: int | None = None,
) -> int:
    # Here, because the supervisor needs neither numpy nor onnxruntime.
    from pawl.serving.process import Process  # noqa: PLC0415

    async def serve(tracer: Any) -> int:
        process = Process(settings, counters, monitor, tracer)
        if lifeline is not None:
            _watch(lifeline, lambda: process.stop(now=True))
        return await process.run(listener)

    runner = asyncio.Runner(loop_factory=_new_loop())
    with tracing.exporting("pawl-server") as tracer, runner:
        return runner.run(serve(tracer))


def _watch(lifeline: int, ended: Callable[[], None]) -> None:
    """Calls `ended` when the other end of a pipe is gone."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        loop.remove_reader(lifeline)
        ended()

    loop.add_reader(lifeline, readable)


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _exit(code: int) -> None:
    """Ends now: a thread that is still loading a model must not keep a stopped pod."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
