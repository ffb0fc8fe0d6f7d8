"""Load: as many requests as a number of connections carry, one at a time on each.

`wrk` makes it where it is installed (Debian package `wrk`), else this file in a process of its own:
an asyncio protocol that only looks for the end of each answer, about 5 µs of CPU per request.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, repeat
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

_ROUTED = """
local n = 0
wrk.headers["x-pawl-weight"] = "95"
request = function()
  n = n + 1
  local hash = (n * 2654435761) % 4294967296
  wrk.headers["x-request-id"] = string.format("%08x-0000-4000-8000-%012x", hash, n)
  return wrk.format()
end
"""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d+)")


@dataclass(frozen=True)
class Result:
    """Answers with status 200 per second; latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    failures: int


def generator() -> str:
    """Which one `measure` uses."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def measure(
    url: str, body: bytes, connections: int, seconds: int, *, routed: bool = False
) -> Result:
    """Sends `body` over and over for `seconds`; with `routed`, as a router would pass it on: each
    request with an id of its own and the weight of the version."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "body.json"
        path.write_bytes(body)
        if generator() == "wrk":
            return _wrk(url, path, connections, seconds, routed)
        command = [
            sys.executable, __file__, url, str(path), str(connections), str(seconds),
            str(int(routed)),
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=seconds + 60
        )
        return Result(**json.loads(done.stdout))


def _wrk(url: str, body: Path, connections: int, seconds: int, routed: bool) -> Result:
    script = body.with_name("post.lua")
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.body = io.open("{body}"):read("*a")\n'
        + (_ROUTED if routed else "")
        + "done = function(summary, latency, requests)\n"
        "  local errors = summary.errors\n"
        '  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, '
        "summary.duration, latency:percentile(50), latency:percentile(99), errors.connect + "
        "errors.read + errors.write + errors.status + errors.timeout))\nend\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    found = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said {done.stdout!r}")
    requests, micros, p50, p99, failures = map(float, found.groups())
    good = requests - failures
    return Result(good / (micros / 1e6), p50 / 1000, p99 / 1000, int(failures))


class _Client(asyncio.Protocol):
    """One connection that always has one request under way."""

    def __init__(
        self, requests: Iterator[bytes], latencies: list[float], failures: list[int]
    ) -> None:
        self._requests = requests
        self._latencies = latencies
        self._failures = failures
        self._received = b""
        self._sent = 0.0
        self.stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send()

    def _send(self) -> None:
        self._received = b""
        self._sent = perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(received, 0, end)
        whole = (
            len(received) - end - 4 >= int(length.group(1))
            if length
            else received.endswith(b"0\r\n\r\n")
        )
        if not whole:
            return
        if received.startswith(b"HTTP/1.1 200 "):
            self._latencies.append(perf_counter() - self._sent)
        else:
            self._failures.append(1)
        if not self.stopped:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopped:
            self._failures.append(1)


def _requests(url: str, body: bytes, routed: bool) -> Iterator[bytes]:
    parts = urlsplit(url)
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    ).encode()
    if not routed:
        yield from repeat(head + b"\r\n" + body)
    for n in count():
        ids = b"%08x-0000-4000-8000-%012x" % (n * 2654435761 % 2**32, n)
        yield head + b"x-pawl-weight: 95\r\nx-request-id: " + ids + b"\r\n\r\n" + body


async def _generate(
    url: str, body: bytes, connections: int, seconds: float, routed: bool
) -> Result:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    requests = _requests(url, body, routed)
    latencies: list[float] = []
    failures: list[int] = []
    loop = asyncio.get_running_loop()
    start = perf_counter()
    clients = [
        (await loop.create_connection(lambda: _Client(requests, latencies, failures), host, port))[
            1
        ]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    elapsed = perf_counter() - start
    answered = len(latencies)
    for client in clients:
        client.stopped = True
    latencies = sorted(latencies[:answered]) or [float("nan")]
    return Result(
        answered / elapsed,
        latencies[len(latencies) // 2] * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
        len(failures),
    )


def main() -> None:
    import uvloop

    url, path, connections, seconds, routed = sys.argv[1:]
    body = Path(path).read_bytes()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(
            _generate(url, body, int(connections), float(seconds), bool(int(routed)))
        )
    print(json.dumps(vars(result)))


if __name__ == "__main__":
    main()
