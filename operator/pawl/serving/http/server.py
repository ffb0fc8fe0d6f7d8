"""The listening side: connections, their limits, what is counted of them, and the way out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from time import perf_counter
from typing import TYPE_CHECKING

from pawl.serving import counters as c
from pawl.serving.counters import LATENCY, Counters, request_slot
from pawl.serving.http.connection import Connection
from pawl.serving.http.exchange import Exchange

if TYPE_CHECKING:
    from pawl.serving.monitor.recorder import Recorder

_SWEEP_SECONDS = 1.0
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Sizes in bytes, durations in seconds, all per process."""

    max_body_bytes: int
    max_connections: int
    request_timeout: float
    keep_alive: float

    @property
    def max_buffered_bytes(self) -> int:
        """Of all bodies that are being received."""
        return 8 * self.max_body_bytes


class HttpServer:
    """Accepts connections on a listening socket and hands their requests to `route`."""

    def __init__(
        self,
        route: Callable[[Exchange], None],
        counters: Counters,
        limits: HttpLimits,
        recorder: Recorder | None = None,
        trace: Callable[[Exchange], None] | None = None,
    ) -> None:
        """The recorder is told of infer requests that failed; of answers it knows already. `trace`
        is told of every infer request."""
        self.limits = limits
        self.date = b""
        self._route = route
        self._counters = counters
        self._mine = counters.mine
        self._recorder = recorder
        self._trace = trace
        self._connections: set[Connection] = set()
        self._buffered = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._closing = False
        self._idle = asyncio.Event()

    async def start(self, listener: socket.socket) -> None:
        """Accepts from now on."""
        loop = asyncio.get_running_loop()
        self._sweep()
        self._server = await loop.create_server(
            lambda: Connection(self), sock=listener, backlog=_BACKLOG
        )

    def retire(self) -> None:
        """From now on every answer ends its connection, so that clients go elsewhere."""
        self._closing = True

    async def close(self, grace: float) -> None:
        """Stops accepting, lets answers finish for `grace` seconds, then cuts what is left."""
        self.retire()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close_when_idle()
        if self._connections:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), grace)
            except TimeoutError:
                for connection in list(self._connections):
                    connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    # -- what connections tell

    def opened(self, connection: Connection) -> bool:
        """A client has come; whether it may stay."""
        self._connections.add(connection)
        self._mine[c.CONNECTIONS] += 1.0
        return len(self._connections) <= self.limits.max_connections

    def closed(self, connection: Connection) -> None:
        """A client has gone."""
        self._connections.discard(connection)
        self._mine[c.CONNECTIONS] -= 1.0
        if not self._connections:
            self._idle.set()

    def buffered(self, size: int) -> bool:
        """`size` bytes more (or less) of bodies are held; whether that is still allowed."""
        self._buffered += size
        return self._buffered <= self.limits.max_buffered_bytes

    def admitted(self, exchange: Exchange) -> None:
        """A request is there to be answered."""
        self._mine[c.IN_FLIGHT] += 1.0
        if self._closing:
            exchange.close = True

    def handle(self, exchange: Exchange) -> None:
        """A whole request is there."""
        self.admitted(exchange)
        self._route(exchange)

    def finished(self, exchange: Exchange) -> None:
        """An answer is about to be written."""
        mine = self._mine
        mine[c.IN_FLIGHT] -= 1.0
        mine[request_slot(exchange.operation, exchange.status)] += 1.0
        if exchange.operation == "infer":
            if self._recorder is None:
                self._counters.observe(LATENCY, perf_counter() - exchange.started)
            elif exchange.status != 200:
                self._recorder.failed(exchange, exchange.status)
            if self._trace is not None:
                self._trace(exchange)

    def abandoned(self, exchange: Exchange) -> None:
        """The client of a request is gone."""
        self._mine[c.IN_FLIGHT] -= 1.0

    def _sweep(self) -> None:
        self.date = formatdate(usegmt=True).encode()
        now = perf_counter()
        for connection in list(self._connections):
            connection.check(now)
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)
