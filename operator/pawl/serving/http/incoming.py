"""The request that is arriving on a connection: llhttp parses, strictly; this sets the bounds.

What is refused is answered by the connection (`refuse`), after which nothing more is parsed: the
place where a next request would begin can no longer be trusted.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import httptools

from pawl.constants import HEADER_SALT, HEADER_USER, HEADER_WEIGHT
from pawl.serving.http.exchange import Exchange

if TYPE_CHECKING:
    from pawl.serving.http.connection import Connection
    from pawl.serving.http.server import HttpServer

MAX_HEAD_BYTES = 16 << 10
#: Received for a head that is not complete; the loop reads up to this at a time.
MAX_INCOMPLETE_HEAD = 256 << 10
MAX_HEADERS = 100
MAX_REQUEST_ID = 256
_KEPT = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"inference-header-content-length",
        b"traceparent",
        b"tracestate",
        b"x-request-id",
        HEADER_SALT.encode(),
        HEADER_USER.encode(),
        HEADER_WEIGHT.encode(),
    }
)


class _RefusedError(Exception):
    """Raised inside parser callbacks to stop at a request that is answered with an error."""


class Incoming:
    """Turns bytes into exchanges for `connection`; one per connection."""

    def __init__(self, connection: Connection, server: HttpServer) -> None:
        self._connection = connection
        self._server = server
        self._max_body_bytes = server.limits.max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._refused = False
        self._head_done = False
        self._head_bytes = 0
        self._incomplete = 0
        self._header_count = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        #: The request that has begun and is not whole.
        self.current: Exchange | None = None
        #: When it began (perf_counter).
        self.began = 0.0

    def feed(self, data: bytes) -> None:
        """Parses what was received. Errors in handling a request are raised, errors in the request
        are answered."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refused = True  # answered in on_headers_complete
        except httptools.HttpParserCallbackError as error:
            if not self._refused:
                raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self._refused:
                self._refuse(400, f"malformed HTTP request: {error}")
        else:
            if self.current is not None and not self._head_done:
                self._incomplete += len(data)
                if self._incomplete > MAX_INCOMPLETE_HEAD:
                    self._refuse(431, f"the head of the request exceeds {MAX_HEAD_BYTES} bytes")

    def stop(self) -> Exchange | None:
        """Parses nothing more; gives the request that was arriving."""
        self._refused = True
        exchange, self.current = self.current, None
        self._drop_body()
        return exchange

    # -- httptools callbacks, in the order in which they come

    def on_message_begin(self) -> None:
        if self._refused:
            raise _RefusedError
        self.current = Exchange(self._connection)
        self.began = perf_counter()
        self._head_done = False
        self._head_bytes = self._header_count = self._incomplete = 0

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
        if name in _KEPT:
            self._exchange().headers[name] = value

    def on_headers_complete(self) -> None:
        exchange = self._exchange()
        self._head_done = True
        parser = self._parser
        exchange.method = parser.get_method()
        version = parser.get_http_version()
        headers = exchange.headers
        request_id = headers.get(b"x-request-id")
        if request_id is not None:
            exchange.request_id = request_id[:MAX_REQUEST_ID]
        exchange.close = version != "1.1" or not parser.should_keep_alive()
        if version not in ("1.0", "1.1"):
            self._refuse(400, f"HTTP/{version} is not spoken here")
        elif parser.should_upgrade():
            self._refuse(501, "upgrading the connection is not supported; send plain HTTP/1.1")
        elif version == "1.1" and b"host" not in headers:
            self._refuse(400, "malformed HTTP request: no Host header")
        elif int(headers.get(b"content-length", b"0")) > self._max_body_bytes:
            self._refuse(413, self._too_large())
        elif b"expect" in headers:
            if headers[b"expect"].lower() == b"100-continue":
                self._connection.wants_continue()
            else:
                self._refuse(417, "the only expectation that is met is 100-continue")
        if self._refused:
            raise _RefusedError

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > self._max_body_bytes:
            self._refuse(413, self._too_large())
            raise _RefusedError
        if not self._server.buffered(len(body)):
            self._refuse(503, "too many large requests are being received", retry_after=1)
            raise _RefusedError

    def on_message_complete(self) -> None:
        exchange = self._exchange()
        self.current = None
        if self._body:
            exchange.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._drop_body()
        if exchange.close:
            self._refused = True
        self._connection.requested(exchange)

    # -- inside

    def _exchange(self) -> Exchange:
        if self.current is None:
            raise _RefusedError
        return self.current

    def _refuse(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        self._refused = True
        self._connection.refuse(status, message, retry_after=retry_after)

    def _drop_body(self) -> None:
        if self._body_bytes:
            self._server.buffered(-self._body_bytes)
            self._body = []
            self._body_bytes = 0

    def _too_large(self) -> str:
        return f"the request body exceeds {self._max_body_bytes} bytes"
