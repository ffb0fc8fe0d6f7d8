"""Several serving processes in one pod: started, watched, replaced when they die, stopped together.

Every process has a listening socket of its own on the same address (SO_REUSEPORT; the kernel
spreads connections), but the supervisor holds them all: connections that wait for a process that
died are answered by the one that replaces it. Signals are taken one at a time, so there are no
races between a death and a stop.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from dataclasses import astuple, dataclass
from time import monotonic, time

from pawl.serving import counters as c
from pawl.serving.counters import Counters, shared_memory
from pawl.serving.settings import Settings

LOGGER = logging.getLogger(__name__)
ENV_WORKER = "PAWL_WORKER"
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
_FIRST_PAUSE, _MAX_PAUSE = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Worker:
    """What a serving process inherits: its number, its socket, the counters' memory, a pipe that
    ends when the supervisor dies, and for the monitor a socket and memory that all processes share
    (-1 without a monitor) and when the pod began, in milliseconds of the epoch."""

    index: int
    blocks: int
    listener: int
    memory: int
    lifeline: int
    monitor_listener: int = -1
    monitor_memory: int = -1
    started: int = 0

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What must be handed down."""
        every = (
            self.listener, self.memory, self.lifeline, self.monitor_listener, self.monitor_memory,
        )  # fmt: skip
        return tuple(descriptor for descriptor in every if descriptor >= 0)

    def dump(self) -> str:
        """As the value of ENV_WORKER."""
        return ":".join(map(str, astuple(self)))

    @classmethod
    def parse(cls, text: str) -> Worker:
        """The inverse of `dump`."""
        return cls(*map(int, text.split(":")))


@dataclass(frozen=True, slots=True)
class MonitorPart:
    """What a process gets for its monitor: the port's socket, when the pod began (epoch seconds),
    and the memory of `blocks` processes (descriptor -1: of its own)."""

    listener: socket.socket
    started: float
    blocks: int = 1
    index: int = 0
    memory: int = -1


def listen(settings: Settings, port: int, *, shared: bool) -> socket.socket:
    """A listening socket; `shared` ones may be several on one address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((settings.host, port))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


class Supervisor:
    """Runs `settings.processes` serving processes until SIGTERM."""

    def __init__(self, settings: Settings) -> None:
        self._count = settings.processes
        # One block more: the supervisor's own memory and CPU are counted too.
        self._blocks = self._count + 1
        self._memory = shared_memory(self._blocks)
        self._counters = Counters(self._blocks, self._count, self._memory)
        self._listeners = [listen(settings, settings.port, shared=True) for _ in range(self._count)]
        # One socket for all: whichever process is free answers for the pod.
        self._monitor: socket.socket | None = None
        if settings.monitor_port is not None:
            self._monitor = listen(settings, settings.monitor_port, shared=False)
        self._monitor_memory = os.memfd_create("pawl-monitor", 0)
        self._started = round(time() * 1000)
        self._lifeline, self._mine = os.pipe()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._due: dict[int, float] = {}
        self._pauses = [_FIRST_PAUSE] * self._count
        self._been_ready = [False] * self._count
        self._code = 0
        self._stopping = False

    def run(self) -> int:
        """The exit code: 0, or that of a process that could not load its model."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for index in range(self._count):
            self._counters.expect(index)
        for index in range(self._count):
            self._start(index)
        while self._running or self._due:
            got = signal.sigtimedwait(_SIGNALS, 0.2 if self._due else 1.0)
            if got is not None and got.si_signo != signal.SIGCHLD:
                self._stop(got.si_signo)
            self._note_ready()
            self._reap()
            for index in [i for i, due in self._due.items() if due <= monotonic()]:
                del self._due[index]
                self._start(index)
        return self._code

    def _start(self, index: int) -> None:
        worker = Worker(
            index=index,
            blocks=self._blocks,
            listener=self._listeners[index].fileno(),
            memory=self._memory,
            lifeline=self._lifeline,
            monitor_listener=self._monitor.fileno() if self._monitor is not None else -1,
            monitor_memory=self._monitor_memory,
            started=self._started,
        )
        self._running[index] = subprocess.Popen(
            [sys.executable, "-m", "pawl.serving"],
            env={**os.environ, ENV_WORKER: worker.dump()},
            pass_fds=worker.descriptors,
        )

    def _note_ready(self) -> None:
        for index, state in enumerate(self._counters.each(c.STATE)[: self._count]):
            if state == c.STATE_READY:
                self._been_ready[index] = True

    def _reap(self) -> None:
        for index, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[index]
            self._counters.clear(index)
            if self._stopping:
                self._code = self._code or max(code, 0)
            elif not self._been_ready[index] and code > 0:
                # There is no model to be had: the pod says so by its exit code.
                self._code = code
                self._stop(signal.SIGINT)
            else:
                pause = self._pauses[index]
                LOGGER.error(
                    "a serving process died; it is replaced",
                    extra={"fields": {"index": index, "exitCode": code, "inSeconds": pause}},
                )
                self._due[index] = monotonic() + pause
                self._pauses[index] = min(2 * pause, _MAX_PAUSE)

    def _stop(self, signal_: int) -> None:
        self._stopping = True
        self._due.clear()
        for process in self._running.values():
            process.send_signal(signal_)
