"""A client's connection: its requests in, their answers out in the same order.

A request has a limited time to arrive. Pipelined requests are answered in order, and a client that
does not read its answers is not read either. A refused request ends the connection after its
answer, and what the client still sends is read and dropped for a moment, since closing at once
would reset the connection before the client has read the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, cast

from pawl.serving.http.exchange import Exchange
from pawl.serving.http.incoming import Incoming

if TYPE_CHECKING:
    from pawl.serving.http.server import HttpServer

MAX_PIPELINED = 32
LINGER_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Made by `HttpServer` for each client."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._transport = cast(asyncio.Transport, None)
        self._incoming = Incoming(self, server)
        self._owed: deque[Exchange] = deque()
        self._expects_continue = False
        self._reading = True
        self._writable = True
        self._lingering = False
        self._since = perf_counter()
        self.lost = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.opened(self):
            self.refuse(503, "too many connections", retry_after=1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._server.closed(self)
        self._forget()
        self._incoming.stop()

    def data_received(self, data: bytes) -> None:
        if not self._lingering:
            self._incoming.feed(data)

    def eof_received(self) -> bool:
        # A client may close its half and still wait for answers.
        if self._lingering or not self._owed or self._incoming.current is not None:
            return False
        self._owed[-1].close = True
        return True

    def pause_writing(self) -> None:
        self._writable = False
        self._since = perf_counter()
        self._flow()

    def resume_writing(self) -> None:
        self._writable = True
        self._since = perf_counter()
        self._flow()

    # -- requests, from `Incoming`

    def requested(self, exchange: Exchange) -> None:
        """A whole request is there."""
        exchange.started = perf_counter()
        self._expects_continue = False
        if exchange.close:
            self._lingering = True
        self._owed.append(exchange)
        if len(self._owed) >= MAX_PIPELINED:
            self._flow()
        self._server.handle(exchange)

    def wants_continue(self) -> None:
        """The client waits to be told to send its body; it is, once no answer is owed."""
        self._expects_continue = True
        self._continue()

    def refuse(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        """Answers the request that is arriving with an error and takes no more."""
        self._lingering = True
        self._expects_continue = False
        exchange = self._incoming.stop() or Exchange(self)
        exchange.close = True
        exchange.started = perf_counter()
        self._owed.append(exchange)
        self._server.admitted(exchange)
        extra = (("retry-after", str(retry_after)),) if retry_after else ()
        exchange.error(status, message, extra=extra)

    # -- answers, from `Exchange`

    @property
    def date(self) -> bytes:
        """The Date header's value."""
        return self._server.date

    def answered(self, exchange: Exchange) -> None:
        """Sends what can be sent now: answers go out in the order of the requests."""
        owed = self._owed
        while owed and (answer := owed[0].answer) is not None:
            done = owed.popleft()
            # Counted first: whoever has an answer finds it in the metrics.
            self._server.finished(done)
            if not self.lost:
                self._transport.write(answer)
            if done.close:
                self._finish()
                return
        if not owed:
            self._since = perf_counter()
            if self._expects_continue:
                self._continue()
        if not self._reading:
            self._flow()

    # -- time and the end, from `HttpServer`

    def check(self, now: float) -> None:
        """Ends what takes too long; called about once a second."""
        quiet = now - self._since
        if not self._writable:
            if quiet > self._limits.request_timeout:
                self.abort()
        elif self._owed:
            return
        elif self._lingering:
            if quiet > LINGER_SECONDS:
                self._transport.close()
        elif self._incoming.current is not None:
            if now - self._incoming.began > self._limits.request_timeout:
                self.refuse(408, "the request took too long to arrive")
        elif quiet > self._limits.keep_alive:
            self._transport.close()

    def close_when_idle(self) -> None:
        """Ends the connection now if nothing is going on, else after the last answer."""
        if self._owed:
            self._owed[-1].close = True
            self._lingering = True
        elif self._incoming.current is None and not self.lost:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection now."""
        if not self.lost:
            self._transport.abort()

    # -- inside

    def _continue(self) -> None:
        if not self._owed and not self.lost:
            self._expects_continue = False
            self._transport.write(_CONTINUE)

    def _finish(self) -> None:
        """The last answer is written: half-close, and read on for a moment."""
        self._lingering = True
        self._since = perf_counter()
        self._forget()
        if not self.lost and self._transport.can_write_eof():
            self._transport.write_eof()

    def _forget(self) -> None:
        for exchange in self._owed:
            self._server.abandoned(exchange)
        self._owed.clear()

    def _flow(self) -> None:
        """Reads only while answers can be written and not too many are owed."""
        wanted = self._writable and len(self._owed) < MAX_PIPELINED
        if wanted != self._reading and not self.lost:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()
