"""Several processes behind one port."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pawl.constants import EXIT_USER_ERROR

Start = Callable[..., Any]
OK = 'pawl_server_requests_total{operation="infer",code="200"}'


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_all_answer_and_their_numbers_are_added_up(start: Start) -> None:
    server = start(PAWL_PROCESSES="2")
    for _ in range(40):
        assert server.infer(0, 0).status == 200  # each on a connection of its own
    assert server.metric(OK) == 40
    assert len(children(server.process.pid)) == 2
    assert server.stop() == 0


def test_a_process_that_dies_is_replaced_and_its_numbers_stay(start: Start) -> None:
    server = start(PAWL_PROCESSES="2")
    for _ in range(20):
        assert server.infer(0, 0).status == 200
    before = children(server.process.pid)
    os.kill(before[0], signal.SIGKILL)
    server.until(lambda: set(children(server.process.pid)) - set(before))
    # Connections that waited for the dead process are answered by the one that replaced it.
    for _ in range(20):
        assert server.infer(0, 0).status == 200
    server.until(lambda: server.status("/v2/health/ready") == 200)
    assert server.metric(OK) == 40
    assert "it is replaced" in server.log
    assert server.stop() == 0


def test_they_end_with_their_supervisor(start: Start) -> None:
    server = start(PAWL_PROCESSES="2", PAWL_DRAIN_SECONDS="60")
    pids = children(server.process.pid)
    server.process.kill()
    server.process.wait(10)
    server.until(lambda: not any(map(alive, pids)))


def test_without_a_model_all_end_with_its_exit_code(start: Start) -> None:
    server = start(ready=False, PAWL_PROCESSES="2", PAWL_ARTIFACT_DIGEST="sha256:" + "0" * 64)
    assert server.process.wait(30) == EXIT_USER_ERROR
