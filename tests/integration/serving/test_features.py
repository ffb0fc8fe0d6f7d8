"""What a server pod counts of features, over all of its processes."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

Start = Callable[..., Any]


def ask(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def begin(start: Start, free_port: Callable[[], int], **changes: str) -> tuple[Any, int]:
    port = free_port()
    return start(PAWL_MONITOR_PORT=str(port), **changes), port


def counted(server: Any, feature: str, cell: str) -> float:
    found: float = server.metric(f'pawl_feature_rows_total{{feature="{feature}",cell="{cell}"}}')
    return found


def test_what_all_processes_saw_is_told(start: Start, free_port: Callable[[], int]) -> None:
    server, port = begin(start, free_port, PAWL_PROCESSES="2")
    for number in range(20):
        assert server.infer(number, 0.5).status == 200
    server.until(lambda: counted(server, "a", "(-inf, 5]") + counted(server, "a", "(5, inf)") == 20)
    assert counted(server, "a", "(-inf, 5]") == 6
    assert counted(server, "a", "outOfRange") == 14
    assert counted(server, "b", "(-inf, 1]") == 20
    assert server.metric('pawl_feature_reference{feature="b",cell="(1, inf)"}') == 1
    assert server.metric('pawl_prediction_rows_total{cell="(0.5, inf)"}') == 20
    layout, page = ask(port, "/features/layout"), ask(port, "/features")
    assert [feature["name"] for feature in layout["features"]] == ["a", "b", "prediction"]
    assert (layout["layout"], layout["digest"]) == (page["layout"], page["digest"])
    assert len(page["rows"]) == (page["to"] - page["from"]) // 10


def test_what_a_dead_process_counted_stays(start: Start, free_port: Callable[[], int]) -> None:
    server, _ = begin(start, free_port, PAWL_PROCESSES="2")
    for _ in range(20):
        assert server.infer(0, 0).status == 200
    server.until(lambda: counted(server, "a", "(-inf, 5]") == 20)
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    os.kill(int(path.read_text().split()[0]), signal.SIGKILL)
    server.until(lambda: "it is replaced" in server.log)
    assert server.infer(0, 0).status == 200
    server.until(lambda: counted(server, "a", "(-inf, 5]") == 21)


def test_without_a_monitor_nothing_is_counted(start: Start) -> None:
    server = start()
    assert server.infer(0, 0).status == 200
    assert b"pawl_feature" not in server.ask("GET", "/metrics").body
