"""What a server pod tells of what it answered, on a port of its own."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pawl.control.snapshot import parse_pairs, parse_snapshot

Start = Callable[..., Any]


def ask(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def begin(start: Start, free_port: Callable[[], int], **changes: str) -> tuple[Any, int]:
    port = free_port()
    server = start(PAWL_MONITOR_PORT=str(port), PAWL_MONITOR_WARM_UP_SECONDS="0", **changes)
    return server, port


def told(server: Any, port: int, count: int) -> dict[str, Any]:
    """Once so many requests are told."""

    def enough() -> Any:
        found = ask(port, f"/monitor?from=0&to={time.time() + 9:.1f}")
        return found if found["requests"] >= count else None

    found: dict[str, Any] = server.until(enough)
    return found


@pytest.mark.parametrize("processes", ["1", "2"])
def test_it_tells_what_all_processes_answered(
    processes: str, start: Start, free_port: Callable[[], int]
) -> None:
    server, port = begin(start, free_port, PAWL_PROCESSES=processes)
    for number in range(20):
        headers = {
            "x-request-id": f"r{number}", "x-pawl-user": str(number), "x-pawl-salt": "s",
        }  # fmt: skip
        assert server.infer(number, 0.0, headers=headers).status == 200
    assert server.ask("POST", "/v2/models/churn/infer", {}).status == 400
    found = told(server, port, 21)
    assert (found["requests"], found["refused"], found["rows"]) == (21, 1, 20)
    assert found["model"] == "churn"
    assert found["version"] == 7
    assert sum(found["latency"].values()) == 20
    assert sum(n for _, n, _ in found["users"]) == 20
    assert (found["scoreKind"], sum(found["scores"])) == ("numeric", 20)
    assert sum(found["values"].values()) == 20
    operator_hears = parse_snapshot(json.dumps(found).encode(), "churn", 7)
    assert (operator_hears.requests, operator_hears.errors) == (21, 1)
    page = ask(port, "/pairs")
    assert len(parse_pairs(json.dumps(page).encode(), "churn", 7)) == 20
    pairs = page["pairs"]
    assert len({pair[0] for pair in pairs}) == 20
    assert all(pair[5] == 200 and 0.5 <= pair[3] <= 1 for pair in pairs)
    assert server.metric('pawl_server_requests_total{operation="infer",code="200"}') == 20
    assert server.stop() == 0


def test_asking_is_no_load_of_the_server(start: Start, free_port: Callable[[], int]) -> None:
    server, port = begin(start, free_port)
    for _ in range(3):
        ask(port, "/monitor")
    assert told(server, port, 0)["requests"] == 0
    assert 'operation="other"' not in server.ask("GET", "/metrics").body.decode()


def test_it_is_not_on_the_public_port(start: Start, free_port: Callable[[], int]) -> None:
    server, _ = begin(start, free_port)
    assert server.status("/monitor") == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/monitor?from=x", 400),
        ("/monitor?to=-1", 400),
        ("/features?from=x", 400),
        ("/features?fine=2", 400),
        ("/metrics", 404),
    ],
)
def test_what_cannot_be_answered_is_said(
    path: str, status: int, start: Start, free_port: Callable[[], int]
) -> None:
    _, port = begin(start, free_port)
    with pytest.raises(urllib.error.HTTPError) as raised:
        ask(port, path)
    assert raised.value.code == status
    assert json.load(raised.value)["error"]


def test_what_a_dead_process_counted_stays(start: Start, free_port: Callable[[], int]) -> None:
    server, port = begin(start, free_port, PAWL_PROCESSES="2")
    for _ in range(20):
        assert server.infer(0, 0).status == 200
    before = told(server, port, 20)
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    os.kill(int(path.read_text().split()[0]), signal.SIGKILL)
    after = told(server, port, 20)
    assert after["requests"] == before["requests"]
    assert after["started"] == before["started"]


def test_it_tells_while_the_pod_drains(start: Start, free_port: Callable[[], int]) -> None:
    server, port = begin(start, free_port, PAWL_DRAIN_SECONDS="30")
    assert server.infer(0, 0).status == 200
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: server.status("/v2/health/ready") == 503)
    assert told(server, port, 1)["requests"] == 1
    assert server.stop(signal.SIGINT) == 0
