"""A TCP proxy in place of kube-proxy's packet rules: listen on cluster IPs, pass bytes on.

Promises: a service with no endpoint refuses connections (its socket is closed, as kube-proxy's
REJECT looks to a client); endpoints are used in turn; a connection lives as long as its two ends
want, whatever happens to the table of endpoints; a slow reader slows its writer down (no
unbounded buffers); half-closed connections work.

Run as `python -I -S proxy.py` it is a process of its own, so that what passes through services
does not wait for the API server, nor the other way round. It needs the standard library only.
"""

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

Address = tuple[str, int]

_BACKLOG = 1024
_MAX_TABLE = 2**26  # bytes of one line
_CONNECT_LIMIT = 10.0  # seconds
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER that makes close() send RST


@dataclass
class _Listener:
    server: asyncio.Server
    endpoints: Sequence[Address]
    turn: int = field(default=0)

    def next(self) -> Address | None:
        if not self.endpoints:
            return None
        self.turn = (self.turn + 1) % len(self.endpoints)
        return self.endpoints[self.turn]


class Proxy:
    """The data plane. `apply` is given the whole table each time."""

    def __init__(self) -> None:
        self._listeners: dict[Address, _Listener] = {}
        self._open: set[asyncio.Transport] = set()

    async def apply(self, table: Mapping[Address, Sequence[Address]]) -> dict[Address, OSError]:
        """Serve exactly `table` (address to listen on -> endpoints). Returns what could not be
        listened on."""
        for address in [a for a in self._listeners if not table.get(a)]:
            self._listeners.pop(address).server.close()
        failed = {}
        for address, endpoints in table.items():
            if address in self._listeners:
                self._listeners[address].endpoints = list(endpoints)
            elif endpoints:
                try:
                    await self._listen(address, endpoints)
                except OSError as error:
                    failed[address] = error
        return failed

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        for listener in self._listeners.values():
            listener.server.close()
        self._listeners.clear()
        while self._open:
            for transport in self._open:
                transport.abort()
            await asyncio.sleep(0)

    async def _listen(self, address: Address, endpoints: Sequence[Address]) -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.setblocking(False)
            server = await loop.create_server(
                lambda: _Client(self._open, self._listeners.get(address)),
                sock=sock,
                backlog=_BACKLOG,
            )
        except OSError:
            sock.close()
            raise
        self._listeners[address] = _Listener(server, list(endpoints))


class _End(asyncio.Protocol):
    """One end of a spliced connection; `peer` is the other one."""

    def __init__(self, registered: set[asyncio.Transport]) -> None:
        self.registered = registered
        self.transport: asyncio.Transport | None = None
        self.peer: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.registered.add(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        peer = self.peer.transport if self.peer is not None else None
        if peer is not None and peer.can_write_eof() and not peer.is_closing():
            peer.write_eof()
        return True  # the other direction may go on

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.registered.discard(self.transport)
        self.transport = None
        peer, self.peer = self.peer, None
        if peer is None or peer.transport is None:
            return
        if isinstance(exc, ConnectionResetError):
            reset(peer.transport)
        else:
            peer.transport.close()


class _Client(_End):
    """The end that came in; connects the other end to the endpoint whose turn it is."""

    def __init__(self, registered: set[asyncio.Transport], listener: _Listener | None) -> None:
        super().__init__(registered)
        self._endpoint = None if listener is None else listener.next()
        self._connecting: asyncio.Task[None] | None = None
        self._early: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        # Some versions of asyncio (3.11.2) deliver once more after pause_reading() in
        # connection_made(); what comes before the other end is there must not be lost.
        if self.peer is None and self.transport is not None:
            self._early.append(data)
            self.transport.resume_reading()  # so that the pause is not taken for done
            self.transport.pause_reading()
        else:
            super().data_received(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None  # noqa: S101 - just set
        if self._endpoint is None:
            reset(self.transport)
            return
        self.transport.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._connect(*self._endpoint))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        super().connection_lost(exc)

    async def _connect(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        backend = _End(self.registered)
        backend.peer = self
        try:
            async with asyncio.timeout(_CONNECT_LIMIT):
                await loop.create_connection(lambda: backend, host, port)
        except (OSError, TimeoutError):
            if self.transport is not None:
                reset(self.transport)
            return
        finally:
            self._connecting = None
        if self.transport is None:  # the client left while we were connecting
            if backend.transport is not None:
                backend.transport.close()
            return
        self.join(backend)

    def join(self, backend: _End) -> None:
        """The other end is there: pass on what came before it."""
        assert self.transport is not None  # noqa: S101 - joined while both ends are open
        self.peer = backend
        if self._early and backend.transport is not None:
            backend.transport.write(b"".join(self._early))
            self._early.clear()
        self.transport.resume_reading()


def reset(transport: asyncio.Transport) -> None:
    """Close with RST, as a connection to a dead endpoint would end."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


async def serve(commands: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    """Apply the tables that come in as JSON lines, until they end; each is answered by a line
    that lists [host, port, errno] of what could not be listened on."""
    proxy = Proxy()
    try:
        while line := await commands.readline():
            table = {
                (host, port): [(address, number) for address, number in endpoints]
                for host, port, endpoints in json.loads(line)
            }
            failed = await proxy.apply(table)
            told = [[host, port, error.errno] for (host, port), error in failed.items()]
            answers.write(json.dumps(told).encode() + b"\n")
    finally:
        await proxy.close()


async def main() -> None:
    """Over standard input and output."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_MAX_TABLE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, sys.stdout.buffer
    )
    await serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


if __name__ == "__main__":
    asyncio.run(main())
