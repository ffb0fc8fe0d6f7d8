"""A client that is cheap enough to make load, and tells everything of each answer."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field

INFER = "/v2/models/churn/infer"


@dataclass(frozen=True)
class Answer:
    """`status` 0: the connection broke or the client gave up."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def version(self) -> int | None:
        text = self.headers.get("x-version")
        return int(text) if text is not None else None

    @property
    def pod(self) -> str | None:
        return self.headers.get("x-pod")


class Client:
    """Keeps idle connections. `tls` is for https."""

    def __init__(self, address: str, port: int = 8080, tls: ssl.SSLContext | None = None) -> None:
        self._address, self._port, self._tls = address, port, tls
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(
        self,
        path: str = INFER,
        method: str = "POST",
        body: bytes = b"{}",
        patience: float = 60,
        piece: int = 0,
        chunked: bool = False,
        **headers: str,
    ) -> Answer:
        """Header names are written with _ for -. `piece`: the body is sent in parts of this size,
        as by a slow network."""
        began = time.perf_counter()
        lines = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
        length = f"content-length: {len(body)}"
        if chunked:
            length, body = (
                "transfer-encoding: chunked",
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
            )
        head = f"{method} {path} HTTP/1.1\r\nhost: m\r\n{length}\r\n{lines}\r\n"
        try:
            async with asyncio.timeout(patience):
                status, found, text = await self._exchange(head.encode() + body, piece)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return Answer(0, seconds=time.perf_counter() - began)
        return Answer(status, found, text, time.perf_counter() - began)

    async def _exchange(self, data: bytes, piece: int) -> tuple[int, dict[str, str], bytes]:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection(self._address, self._port, ssl=self._tls)
        try:
            while piece and data:
                writer.write(data[:piece])
                data = data[piece:]
                await writer.drain()
                await asyncio.sleep(0.002)
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            found = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            text = await reader.readexactly(int(found.get("content-length", 0)))
        except BaseException:
            writer.close()
            raise
        if found.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(first.split()[1]), found, text

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        for _, writer in self._idle:
            try:
                await writer.wait_closed()
            except OSError:
                continue
        self._idle.clear()

    async def many(
        self, headers: Iterable[Mapping[str, str]], connections: int = 16
    ) -> list[Answer]:
        """One request each, a few at a time, answers in order."""
        queue = list(enumerate(headers))[::-1]
        found: dict[int, Answer] = {}

        async def work() -> None:
            while queue:
                index, each = queue.pop()
                found[index] = await self.ask(**each)  # type: ignore[arg-type]

        await asyncio.gather(*(work() for _ in range(connections)))
        return [found[index] for index in sorted(found)]

    async def beside(self, work: Awaitable[None], connections: int = 16) -> list[Answer]:
        """As fast as it goes, until the work is done; all answers."""
        found: list[Answer] = []
        task = asyncio.ensure_future(work)

        async def load() -> None:
            while not task.done():
                found.append(await self.ask())

        await asyncio.gather(*(load() for _ in range(connections)))
        await task
        return found
