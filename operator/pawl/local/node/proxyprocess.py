"""The proxy's process, as the cluster sees it: give it a table, learn what failed.

It is started when the first service needs it, and again (with the last table) should it die. It
ends with its standard input, so with the cluster, however that ends.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pawl.local.node import proxy
from pawl.local.node.proxy import Address

log = logging.getLogger(__name__)

_STOP_LIMIT = 5.0
_RESTART_PAUSE = 0.2  # seconds


class ProxyProcess:
    """Like proxy.Proxy, in another process. One caller at a time.

    `died` is called when the process ends by itself: the table has to be applied again.
    """

    def __init__(self, died: Callable[[], None]) -> None:
        self._died = died
        self._popen: subprocess.Popen[bytes] | None = None
        self._answers: asyncio.StreamReader | None = None
        self._commands: asyncio.StreamWriter | None = None
        self._transport: asyncio.ReadTransport | None = None

    async def apply(self, table: Mapping[Address, Sequence[Address]]) -> dict[Address, OSError]:
        """Serve exactly `table`. Returns what could not be listened on."""
        if not any(table.values()) and self._popen is None:
            return {}
        line = json.dumps([[host, port, list(to)] for (host, port), to in table.items()])
        if self._popen is not None and self._popen.poll() is not None:
            await self.close()
        try:
            told = json.loads(await self._ask(line.encode() + b"\n"))
        except (OSError, ValueError):  # it died meanwhile, and says so by `died`
            return {}
        return {(host, port): OSError(code, os.strerror(code)) for host, port, code in told}

    async def close(self) -> None:
        popen, self._popen = self._popen, None
        if popen is None:
            return
        if self._commands is not None:
            self._commands.close()
        if self._transport is not None:
            self._transport.close()
        await asyncio.to_thread(_end, popen)

    async def _ask(self, line: bytes) -> bytes:
        if self._popen is None:
            await self._start()
        assert self._commands is not None  # noqa: S101 - just started
        assert self._answers is not None  # noqa: S101 - just started
        self._commands.write(line)
        await self._commands.drain()
        return await self._answers.readline()

    async def _start(self) -> None:
        self._popen = subprocess.Popen(  # noqa: ASYNC220, S603 - vfork and exec of our own file
            [sys.executable, "-I", "-S", str(Path(proxy.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        pidfd = os.pidfd_open(self._popen.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(pidfd, self._ended, self._popen, pidfd, loop)
        self._answers = asyncio.StreamReader()
        reader = self._answers
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._popen.stdout
        )
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, self._popen.stdin
        )
        self._commands = asyncio.StreamWriter(transport, protocol, reader, loop)

    def _ended(
        self, popen: "subprocess.Popen[bytes]", pidfd: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        popen.wait()
        if self._popen is popen:  # nobody asked for it
            log.warning("the service proxy has ended with %s", popen.returncode)
            loop.call_later(_RESTART_PAUSE, self._died)


def _end(popen: "subprocess.Popen[bytes]") -> None:
    """Its input has ended, so it ends."""
    try:
        popen.wait(_STOP_LIMIT)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
