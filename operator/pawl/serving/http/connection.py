"""A client's connection: bytes -> exchanges, and their answers back in the order of the requests.

llhttp parses, strictly; this class bounds what it is fed. A request has a limited time, head and
body; pipelined requests are answered in order; a refused request ends the connection after its
answer, and what the client still sends is read and dropped for a moment, since closing at once
would reset the connection before the client has read the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, cast

import httptools

from pawl.serving.http.exchange import Exchange

if TYPE_CHECKING:
    from pawl.serving.http.server import HttpServer

MAX_HEAD_BYTES = 16 << 10
#: Received for a head that is not complete; the loop reads up to this at a time.
MAX_INCOMPLETE_HEAD = 256 << 10
MAX_HEADERS = 100
MAX_PIPELINED = 32
MAX_REQUEST_ID = 256
LINGER_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_KEPT = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"inference-header-content-length",
    }
)


class _RefusedError(Exception):
    """Raised inside parser callbacks to stop at a request that is answered with an error."""


class Connection(asyncio.Protocol):
    """Made by `HttpServer` for each client."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._transport = cast(asyncio.Transport, None)
        self._parser = httptools.HttpRequestParser(self)
        self._open: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._head_bytes = 0
        self._incomplete = 0
        self._header_count = 0
        self._head_done = False
        self._body: list[bytes] = []
        self._body_bytes = 0
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
            self._refuse(503, "too many connections", retry_after=1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._server.closed(self)
        for exchange in self._open:
            self._server.abandoned(exchange)
        self._open.clear()
        self._drop_body()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._lingering = True  # refused in on_headers_complete
        except httptools.HttpParserCallbackError as error:
            if not self._lingering:
                raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self._lingering:
                self._refuse(400, f"malformed HTTP request: {error}")
        else:
            if self._current is not None and not self._head_done:
                self._incomplete += len(data)
                if self._incomplete > MAX_INCOMPLETE_HEAD:
                    self._refuse(431, f"the head of the request exceeds {MAX_HEAD_BYTES} bytes")

    def eof_received(self) -> bool:
        # A client may close its half and still wait for answers.
        if self._lingering or not self._open or self._current is not None:
            return False
        self._open[-1].close = True
        return True

    def pause_writing(self) -> None:
        self._writable = False
        self._since = perf_counter()
        self._flow()

    def resume_writing(self) -> None:
        self._writable = True
        self._since = perf_counter()
        self._flow()

    # -- httptools callbacks, in the order in which they come

    def on_message_begin(self) -> None:
        if self._lingering:
            raise _RefusedError
        self._current = Exchange(self)
        self._since = perf_counter()
        self._head_done = False
        self._head_bytes = self._header_count = self._incomplete = 0
        self._expects_continue = False

    def on_url(self, url: bytes) -> None:
        exchange = self._exchange()
        exchange.path += url
        if len(exchange.path) > MAX_HEAD_BYTES:
            self._refuse(431, f"the head of the request exceeds {MAX_HEAD_BYTES} bytes")
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._head_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS or self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"more than {MAX_HEADERS} headers, or too long ones")
            raise _RefusedError
        if self._head_done:
            return  # trailers say nothing here
        name = name.lower()
        if name == b"x-request-id":
            self._exchange().request_id = value[:MAX_REQUEST_ID]
        elif name in _KEPT:
            self._exchange().headers[name] = value

    def on_headers_complete(self) -> None:
        exchange = self._exchange()
        self._head_done = True
        parser = self._parser
        exchange.method = parser.get_method()
        version = parser.get_http_version()
        headers = exchange.headers
        exchange.close = version != "1.1" or not parser.should_keep_alive()
        if version not in ("1.0", "1.1"):
            self._refuse(400, f"HTTP/{version} is not spoken here")
        elif parser.should_upgrade():
            self._refuse(501, "upgrading the connection is not supported; send plain HTTP/1.1")
        elif version == "1.1" and b"host" not in headers:
            self._refuse(400, "malformed HTTP request: no Host header")
        elif int(headers.get(b"content-length", b"0")) > self._limits.max_body_bytes:
            self._refuse(413, self._too_large())
        elif b"expect" in headers:
            if headers[b"expect"].lower() == b"100-continue":
                self._expects_continue = True
                self._continue()
            else:
                self._refuse(417, "the only expectation that is met is 100-continue")
        if self._lingering:
            raise _RefusedError

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            self._refuse(413, self._too_large())
            raise _RefusedError
        if not self._server.buffered(len(body)):
            self._refuse(503, "too many large requests are being received", retry_after=1)
            raise _RefusedError

    def on_message_complete(self) -> None:
        exchange = self._exchange()
        self._current = None
        if self._body:
            exchange.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._drop_body()
        if exchange.close:
            self._lingering = True
        exchange.started = perf_counter()
        self._open.append(exchange)
        if len(self._open) >= MAX_PIPELINED:
            self._flow()
        self._server.handle(exchange)

    # -- answers

    @property
    def date(self) -> bytes:
        """The Date header's value."""
        return self._server.date

    def answered(self, exchange: Exchange) -> None:
        """Sends what can be sent now: answers go out in the order of the requests."""
        opened = self._open
        while opened and (answer := opened[0].answer) is not None:
            done = opened.popleft()
            # Counted first: whoever has an answer finds it in the metrics.
            self._server.finished(done)
            if not self.lost:
                self._transport.write(answer)
            if done.close:
                self._finish()
                return
        if not opened:
            self._since = perf_counter()
            if self._expects_continue:
                self._continue()
        if not self._reading:
            self._flow()

    def close_when_idle(self) -> None:
        """Ends the connection now if nothing is going on, else after the last answer."""
        if self._open:
            self._open[-1].close = True
            self._lingering = True
        elif self._current is None and not self.lost:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection now."""
        if not self.lost:
            self._transport.abort()

    def check(self, now: float) -> None:
        """Ends what takes too long; called about once a second."""
        quiet = now - self._since
        if not self._writable:
            if quiet > self._limits.request_timeout:
                self.abort()
        elif self._open:
            return
        elif self._lingering:
            if quiet > LINGER_SECONDS:
                self._transport.close()
        elif self._current is not None:
            if quiet > self._limits.request_timeout:
                self._refuse(408, "the request took too long to arrive")
        elif quiet > self._limits.keep_alive:
            self._transport.close()

    # -- inside

    def _exchange(self) -> Exchange:
        if self._current is None:
            raise _RefusedError
        return self._current

    def _continue(self) -> None:
        """Tells a client that waits for it to send its body, unless answers are still owed."""
        if not self._open and not self.lost and self._current is not None:
            self._expects_continue = False
            self._transport.write(_CONTINUE)

    def _refuse(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        """Answers the request that is arriving with an error and takes no more."""
        self._lingering = True
        exchange = self._current or Exchange(self)
        self._current = None
        self._drop_body()
        exchange.close = True
        exchange.started = perf_counter()
        self._open.append(exchange)
        self._server.admitted(exchange)
        extra = (("retry-after", str(retry_after)),) if retry_after else ()
        exchange.error(status, message, extra=extra)

    def _finish(self) -> None:
        """The last answer is written: half-close, and read on for a moment."""
        self._lingering = True
        self._since = perf_counter()
        for exchange in self._open:
            self._server.abandoned(exchange)
        self._open.clear()
        if not self.lost and self._transport.can_write_eof():
            self._transport.write_eof()

    def _drop_body(self) -> None:
        self._server.buffered(-self._body_bytes)
        self._body = []
        self._body_bytes = 0

    def _flow(self) -> None:
        """Reads only while answers can be written and not too many are owed."""
        wanted = self._writable and len(self._open) < MAX_PIPELINED
        if wanted != self._reading and not self.lost:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def _too_large(self) -> str:
        return f"the request body exceeds {self._limits.max_body_bytes} bytes"
