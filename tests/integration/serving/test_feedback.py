"""Truth for an earlier prediction, at whichever pod it arrives."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]
KEY = base64.b64encode(b"k" * 32).decode()
NEW_KEY = base64.b64encode(b"n" * 32).decode()
PATH = "/v2/models/churn/feedback"


class Pod:
    """A server with its monitor."""

    def __init__(self, start: Start, port: int, **changes: str) -> None:
        self.port = port
        self.server = start(**{"PAWL_MONITOR_PORT": str(port), "PAWL_FEEDBACK_KEY": KEY, **changes})

    def predict(self, value: float, **more: Any) -> tuple[bool, str]:
        """The label, and the token."""
        tensor = {"name": "input", "datatype": "FP64", "shape": [1, 2], "data": [value, 0.0]}
        answer = self.server.ask(
            "POST", "/v2/models/churn/infer", {"inputs": [tensor], **more},
            headers={"x-pawl-weight": "25"},
        )  # fmt: skip
        message = answer.json()
        return message["outputs"][0]["data"][0], message["parameters"]["feedback"]

    def send(self, *entries: tuple[str, Any]) -> Any:
        message = [{"token": token, "truth": truth} for token, truth in entries]
        return self.server.ask("POST", f"{PATH}?token={entries[0][0][:16]}", {"feedback": message})

    def told(self, count: int) -> dict[str, Any]:
        """Once feedback for so many predictions is told."""

        def enough() -> Any:
            url = f"http://127.0.0.1:{self.port}/monitor?from=0&to={time.time() + 9:.0f}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                found = json.load(answer)
            counted = sum(version["n"] for version in found["feedback"].values())
            return found if counted >= count else None

        found: dict[str, Any] = self.server.until(enough)
        return found


@pytest.mark.parametrize("processes", ["1", "2"])
def test_feedback_counts_once_at_another_pod_than_the_one_that_predicted(
    processes: str, start: Start, free_port: Callable[[], int]
) -> None:
    predicting = Pod(start, free_port())
    taking = Pod(start, free_port(), PAWL_MODEL_VERSION="8", PAWL_PROCESSES=processes)
    made = [predicting.predict(value, parameters={"group": "a"}) for value in (-2, -1, 1, 2)]
    assert [label for label, _ in made] == [False, False, True, True]
    answer = taking.send(*[(token, True) for _, token in made])
    assert (answer.status, answer.json()) == (200, {"accepted": 4, "repeated": 0, "expired": 0})
    for _ in range(5):
        assert taking.send((made[0][1], True)).json()["repeated"] == 1
    found = taking.told(4)
    assert found["version"] == 8
    counted = found["feedback"]["7"]
    assert (counted["n"], counted["wrong"]) == (4, 2)
    assert counted["weights"] == {"25": [4, 2]}
    assert counted["groups"] == {"a": [4, 2]}
    assert predicting.told(0)["predictions"] == 4
    requests = 'pawl_server_requests_total{operation="feedback",code="200"}'
    assert taking.server.metric(requests) == 6


def test_foreign_tokens_are_refused(start: Start, free_port: Callable[[], int]) -> None:
    pod = Pod(start, free_port())
    _, token = pod.predict(1)
    answer = pod.send((token, True), (token[:-6] + "AAAA==", True))
    assert answer.status == 400
    assert answer.json()["error"].startswith("feedback[1].token: ")
    assert pod.send((token, True)).json()["accepted"] == 1


def test_keys_are_rotated_without_losing_feedback(
    start: Start, free_port: Callable[[], int]
) -> None:
    old = Pod(start, free_port())
    new = Pod(start, free_port(), PAWL_FEEDBACK_KEY=f"{NEW_KEY},{KEY}")
    assert new.send((old.predict(1)[1], True)).json()["accepted"] == 1
    assert new.send((new.predict(1)[1], True)).json()["accepted"] == 1
    assert old.send((new.predict(1)[1], True)).status == 400


def test_tokens_expire(start: Start, free_port: Callable[[], int]) -> None:
    pod = Pod(start, free_port(), PAWL_FEEDBACK_MAX_AGE_SECONDS="1")
    _, token = pod.predict(1)
    made = time.time()
    pod.server.until(lambda: time.time() > made + 3)
    assert pod.send((token, True)).json() == {"accepted": 0, "repeated": 0, "expired": 1}


def test_without_a_key_there_are_no_tokens_and_no_feedback(
    start: Start, free_port: Callable[[], int]
) -> None:
    server = start(PAWL_MONITOR_PORT=str(free_port()))
    assert "parameters" not in server.infer(1, 0).json()
    answer = server.ask("POST", PATH, {"feedback": [{"token": "a", "truth": 1}]})
    assert answer.status == 404
    assert "no key" in answer.json()["error"]
