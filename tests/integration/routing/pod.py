"""A server pod as a router sees it: readiness, and answers that a test can spoil."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import httptools

#: answer; or never answer; not even read; answer 500 or another status; reset the connection.
Behaviour = Literal["answer", "hang", "deaf", "fail", "reset"] | int


@dataclass
class Request:
    """What a pod was asked; header names are lower case."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    size: int = 0

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


class Pod:
    """One address. `requests` are those that are no health checks, in order of their end. A
    `narrow` one has a small buffer for what it has not read."""

    def __init__(
        self, version: int, address: str, model: str = "churn", *, narrow: bool = False
    ) -> None:
        self.narrow = narrow
        self.version, self.address = version, address
        self.behaviour: Behaviour = "answer"
        self.ready = True
        self.requests: list[Request] = []
        self.connections: set[_Connection] = set()
        self._ready_path = f"/v2/models/{model}/versions/{version}/ready"
        self._server: asyncio.Server | None = None

    async def start(self) -> Pod:
        loop = asyncio.get_running_loop()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.narrow:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind((self.address, 8080))
        self._server = await loop.create_server(lambda: _Connection(self), sock=listening)
        return self

    def die(self) -> None:
        """At once, with all connections; the address answers nobody any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.abort()

    def of(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def answer(self, request: Request) -> bytes | None:
        """The whole answer, or None for never."""
        if request.path.endswith("/ready") and request.method == "GET":
            known = self.ready and request.path == self._ready_path
            return _response(200 if known else 503, b"{}", self)
        self.requests.append(request)
        if self.behaviour == "fail":
            return _response(500, b"{}", self)
        if self.behaviour == "hang":
            return None
        if isinstance(self.behaviour, int):
            return _response(self.behaviour, b"{}", self)
        return _response(200, b'{"version":%d}' % self.version, self)


class _Connection(asyncio.Protocol):
    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._request = Request()
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pod.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._pod.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._pod.behaviour == "deaf" and b"/ready " not in data[:200]:
            self._transport.pause_reading()
            return
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._request = Request()

    def on_url(self, url: bytes) -> None:
        self._request.url += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode().lower()] = value.decode()

    def on_body(self, data: bytes) -> None:
        self._request.size += len(data)

    def on_message_complete(self) -> None:
        self._request.method = self._parser.get_method().decode()
        text = self._pod.answer(self._request)
        if self._pod.behaviour == "reset" and not self._request.path.endswith("/ready"):
            self.abort()
        elif text is not None:
            self._transport.write(text)

    def abort(self) -> None:
        """RST instead of FIN."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._transport.abort()


def _response(status: int, body: bytes, pod: Pod) -> bytes:
    return (
        f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\ncontent-type: application/json\r\n"
        f"x-pod: {pod.address}\r\nx-version: {pod.version}\r\n\r\n"
    ).encode() + body
