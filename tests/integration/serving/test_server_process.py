"""One server process, from its start to its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pawl.constants import EXIT_USER_ERROR

Start = Callable[..., Any]


def test_it_answers_and_keeps_the_request_id(start: Start) -> None:
    server = start()
    answer = server.infer(1.0, -1.0, headers={"x-request-id": "abc-1"})
    assert answer.status == 200
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.json() == {
        "model_name": "churn",
        "model_version": "7",
        "outputs": [
            {"name": "label", "datatype": "BOOL", "shape": [1], "data": [True]},
            {"name": "probabilities", "datatype": "FP64", "shape": [1, 2], "data": [0.5, 0.5]},
        ],
    }
    assert server.stop() == 0


def test_bad_requests_are_answered_in_the_protocols_shape(start: Start) -> None:
    server = start(PAWL_MAX_ROWS="5", PAWL_MAX_BODY_BYTES="2000")
    column = {"name": "a", "datatype": "FP64", "shape": [1], "data": ["x"]}
    rows = {"name": "input", "datatype": "FP64", "shape": [6, 2], "data": [0.0] * 12}
    big = {"name": "input", "datatype": "FP64", "shape": [1, 2], "data": [0.0] * 1000}
    path = "/v2/models/churn/infer"
    cases = [
        ("POST", path, {"inputs": [column]}, 400, "b: is missing"),
        ("POST", path, {"inputs": [rows]}, 413, "6 rows"),
        ("POST", path, {"inputs": [big]}, 413, "2000 bytes"),
        ("POST", "/v2/models/churn/versions/8/infer", {}, 404, "version '8'"),
        ("GET", path, None, 405, "takes POST"),
    ]
    for method, where, body, status, words in cases:
        answer = server.ask(method, where, body)
        assert answer.status == status
        assert words in answer.json()["error"]
    assert server.infer(0, 0).status == 200
    assert server.metric('pawl_server_requests_total{operation="infer",code="400"}') == 1


def test_more_work_than_can_wait_is_turned_away(start: Start) -> None:
    server = start(PAWL_MAX_WAITING="2")
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 2], "data": [0, 0]}
    body = json.dumps({"inputs": [tensor]}).encode()
    head = b"POST /v2/models/churn/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall((head % len(body) + body) * 5)
        received = b""
        while received.count(b"HTTP/1.1 ") < 5 or not received.endswith(b"}"):
            received += client.recv(1 << 16)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert received.count(b"HTTP/1.1 429 ") == 3
    assert received.count(b"\r\nretry-after: 1\r\n") == 3


def test_after_sigterm_it_serves_unready_until_the_drain_is_over(start: Start) -> None:
    server = start(PAWL_DRAIN_SECONDS="600")
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: server.status("/v2/health/ready") == 503)
    for _ in range(10):
        assert server.infer(0, 0).status == 200
        assert server.status("/v2/health/ready") == 503
        assert server.status("/v2/health/live") == 200
    server.process.send_signal(signal.SIGTERM)  # in a hurry
    assert server.process.wait(20) == 0


def test_no_request_fails_while_it_goes_away(start: Start) -> None:
    server = start(PAWL_DRAIN_SECONDS="1")
    failures: list[str] = []
    answered = [0] * 4
    enough = threading.Semaphore(0)

    def client(index: int) -> None:
        connection = server.connect()
        while True:
            answer = server.infer(1, 1, connection=connection)
            if answer.status != 200:
                failures.append(f"{answer.status}")
            answered[index] += 1
            if answered[index] == 50:
                enough.release()
            if answer.headers.get("connection") == "close":
                return

    def guarded(index: int) -> None:
        try:
            client(index)
        except Exception as error:
            failures.append(repr(error))
            enough.release()

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(len(answered))]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert enough.acquire(timeout=20)
    assert server.stop() == 0
    for thread in threads:
        thread.join(20)
    assert failures == []


def test_bytes_that_are_not_what_they_should_be_are_not_served(
    start: Start, tmp_path: Path
) -> None:
    message = tmp_path / "termination-log"
    server = start(
        ready=False,
        PAWL_ARTIFACT_DIGEST="sha256:" + "0" * 64,
        PAWL_TERMINATION_LOG=str(message),
    )
    assert server.process.wait(20) == EXIT_USER_ERROR
    assert json.loads(message.read_text())["reason"] == "DigestMismatch"
    assert "DigestMismatch" in server.log


def test_a_model_that_is_not_there_is_named_in_the_termination_message(
    start: Start, tmp_path: Path
) -> None:
    message = tmp_path / "termination-log"
    uri = (tmp_path / "nothing").as_uri()
    server = start(ready=False, PAWL_ARTIFACT_URI=uri, PAWL_TERMINATION_LOG=str(message))
    assert server.process.wait(20) == EXIT_USER_ERROR
    words = {"reason": "ModelNotFound", "message": f"{uri} is not there, or not whole"}
    assert json.loads(message.read_text()) == words


def test_settings_that_are_wrong_are_named(start: Start) -> None:
    server = start(ready=False, PAWL_PROCESSES="many")
    assert server.process.wait(20) == EXIT_USER_ERROR
    assert "PAWL_PROCESSES" in server.log


def test_while_the_store_does_not_answer_it_is_alive_but_not_ready(start: Start) -> None:
    server = start(
        ready=False,
        PAWL_ARTIFACT_URI="http://127.0.0.1:9/models",
        PAWL_NAMESPACE_URIS='["http://127.0.0.1:9/"]',
    )
    server.until(lambda: server.status("/v2/health/live") == 200)
    assert server.status("/v2/health/ready") == 503
    answer = server.infer(0, 0)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert server.stop() == 0


def test_log_lines_are_json_and_hold_no_credentials(start: Start) -> None:
    server = start(ready=False, PAWL_ARTIFACT_URI="s3://key:hunter2@bucket/models")
    assert server.process.wait(20) == EXIT_USER_ERROR
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert lines
    assert "hunter2" not in server.log


def test_the_onnx_server_needs_no_scikit_learn_pandas_or_kopf() -> None:
    unwanted = ("sklearn", "scipy", "pandas", "pyarrow", "kopf", "kubernetes", "fsspec", "onnx")
    code = f"import sys, pawl.serving.process; print([m for m in {unwanted} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip() == "[]"


def test_it_is_small(start: Start) -> None:
    server = start()
    assert server.infer(0, 0).status == 200
    assert server.metric("process_resident_memory_bytes") < 120e6


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_with_0(signal_: int, start: Start) -> None:
    assert start().stop(signal_) == 0
