"""A server under test: started, checked, weighed, and surely stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving_peers.targets import Target
from benchmarks.serving_peers.venvs import PeerError

START_SECONDS = 90


@dataclass(frozen=True)
class Running:
    """A server that has answered rightly. `start` is from its spawn to that answer, in seconds."""

    url: str
    start: float
    process: subprocess.Popen[bytes]

    def resident_mb(self) -> float:
        """Of the process and its children."""
        main = psutil.Process(self.process.pid)
        family = [main, *main.children(recursive=True)]
        return sum(process.memory_info().rss for process in family) / 1e6


def free_port() -> int:
    """A port that nobody listens on; the two behind it are left free too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 60_000 and all(_free(port + i) for i in (1, 2)):
            return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def running(target: Target, port: int, expected: float, log: Path) -> Iterator[Running]:
    """Starts `target`; PeerError when it does not give the probability `expected` in time."""
    start = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            target.command,
            env={**os.environ, **target.env},
            cwd=target.cwd,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}{target.path}"
    try:
        _wait(target, url, process, expected, log)
        yield Running(url, time.perf_counter() - start, process)
    finally:
        _stop(process)


def _wait(
    target: Target, url: str, process: subprocess.Popen[bytes], expected: float, log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    problem = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PeerError(f"it ended with {process.returncode}: {_tail(log)}")
        try:
            found = _numbers(_ask(url, target.body))
        except urllib.error.HTTPError as error:
            problem = f"{error.code}: {error.read()[:200]!r}"
        except OSError as error:
            problem = str(error)
        else:
            if any(abs(number - expected) < 1e-5 for number in found):
                return
            raise PeerError(f"it answers {found[:4]}, expected {expected}")
        time.sleep(0.02)
    raise PeerError(f"not ready within {START_SECONDS} s ({problem}): {_tail(log)}")


def _ask(url: str, body: bytes) -> Any:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, float) else []


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])[-400:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and those that it started (it leads a session of its own)."""
    for signal_, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, signal_)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait(10)
