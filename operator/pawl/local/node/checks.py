"""One look at a container: httpGet, tcpSocket, exec. Also what lifecycle hooks are made of.

Wording as k8s.io/kubernetes pkg/probe: the texts end up in events that people search for.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Obj = dict[str, Any]

_MAX_HEAD = 2**16


@dataclass(frozen=True)
class Outcome:
    """Whether the check succeeded, and what it saw."""

    success: bool
    output: str = ""


# Runs a command in the container: (argv, timeout in seconds) -> outcome
Exec = Callable[[list[str], float], Awaitable[Outcome]]


@dataclass(frozen=True)
class Target:
    """Where checks of one container go."""

    address: str
    ports: dict[str, int]  # named container ports
    run: Exec

    def port(self, value: int | str) -> int:
        """A port by number or name. Raises ValueError."""
        if isinstance(value, str) and not value.isdigit():
            if value not in self.ports:
                raise ValueError(f'strconv.Atoi: parsing "{value}": invalid syntax')
            return self.ports[value]
        return int(value)


async def check(action: Obj, target: Target, limit: float, *, agent: str) -> Outcome:
    """Do the one check that `action` (a probe or a lifecycle handler) names, in `limit` seconds."""
    try:
        if "exec" in action:
            return await target.run(list(action["exec"].get("command") or ()), limit)
        if "httpGet" in action:
            return await _http(action["httpGet"], target, limit, agent)
        if "tcpSocket" in action:
            return await _tcp(action["tcpSocket"], target, limit)
        if "sleep" in action:
            await asyncio.sleep(action["sleep"]["seconds"])
            return Outcome(True)
    except ValueError as error:
        return Outcome(False, str(error))
    return Outcome(False, "the embedded cluster has no such probe")


async def _tcp(action: Obj, target: Target, limit: float) -> Outcome:
    host, port = action.get("host") or target.address, target.port(action["port"])
    try:
        async with asyncio.timeout(limit):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, _dial_error(host, port, error))
    writer.transport.abort()
    return Outcome(True)


async def _http(action: Obj, target: Target, limit: float, agent: str) -> Outcome:
    scheme = (action.get("scheme") or "HTTP").lower()
    host, port = action.get("host") or target.address, target.port(action["port"])
    path = "/" + (action.get("path") or "/").lstrip("/")
    url = f'Get "{scheme}://{host}:{port}{path}"'
    try:
        async with asyncio.timeout(limit):
            status = await _get(scheme, host, port, path, _headers(action, host, port, agent))
    except TimeoutError:
        return Outcome(
            False,
            f"{url}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        )
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return Outcome(False, f"{url}: EOF")
    except asyncio.LimitOverrunError:
        return Outcome(
            False, f"{url}: net/http: server response headers exceeded {_MAX_HEAD} bytes"
        )
    except OSError as error:
        return Outcome(False, f"{url}: {_dial_error(host, port, error)}")
    if 200 <= status < 400:
        return Outcome(True)
    return Outcome(False, f"HTTP probe failed with statuscode: {status}")


def _headers(action: Obj, host: str, port: int, agent: str) -> dict[str, str]:
    headers = {"Host": f"{host}:{port}", "User-Agent": agent, "Accept": "*/*"}
    for header in action.get("httpHeaders") or ():
        headers[header["name"]] = header["value"]
    return {**headers, "Connection": "close"}


async def _get(scheme: str, host: str, port: int, path: str, headers: dict[str, str]) -> int:
    """The status code; the body is not waited for."""
    context = None
    if scheme == "https":  # a probe does not verify certificates
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=_MAX_HEAD)
    try:
        lines = [f"GET {quote(path, safe='/?&=%:;,+!*~@$()-._')} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
        head = await reader.readuntil(b"\r\n\r\n")
        return _status(head.partition(b"\r\n")[0])
    finally:
        writer.transport.abort()


def _status(line: bytes) -> int:
    parts = line.split()
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        raise ValueError(f"net/http: HTTP/1.x transport connection broken: {line[:50]!r}")
    return int(parts[1])


def _dial_error(host: str, port: int, error: OSError) -> str:
    text = (error.strerror or str(error)).lower()
    if isinstance(error, ConnectionRefusedError):
        text = "connect: connection refused"
    return f"dial tcp {host}:{port}: {text}"
