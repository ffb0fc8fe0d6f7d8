"""Keeps the operator's process running: started again with a growing pause when it dies."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from pawl.local.node.process import Exit, Process

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LAST_PAUSE = 0.5, 30.0
_HEALTHY_AFTER = 60.0  # seconds of running after which the pauses start over
_STOP_LIMIT = 10.0

Start = Callable[[int], Process]  # gets the descriptor to write logs to


class Supervisor:
    """Runs one program until `run` is cancelled; its output is appended to `log_file`."""

    def __init__(self, name: str, start: Start, log_file: Path) -> None:
        self.name = name
        self._start = start
        self._log_file = log_file
        self._process: Process | None = None

    async def run(self) -> None:
        pause = _FIRST_PAUSE
        try:
            while True:
                begun = time.monotonic()
                ended = await self._once()
                if time.monotonic() - begun > _HEALTHY_AFTER:
                    pause = _FIRST_PAUSE
                log.warning("%s ended with %d, again in %.1f s", self.name, ended.code, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE)
        finally:
            await self._stop()

    async def _once(self) -> Exit:
        descriptor = os.open(self._log_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            self._process = self._start(descriptor)
        finally:
            os.close(descriptor)
        return await self._process.wait()

    async def _stop(self) -> None:
        if self._process is not None and self._process.alive:
            self._process.send(signal.SIGTERM)
            await asyncio.wait({self._process.exited}, timeout=_STOP_LIMIT)
            self._process.kill()
            await asyncio.wait({self._process.exited})
