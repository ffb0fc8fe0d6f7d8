"""What the pods of a run or of a server say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.runs import LastWords
from pawl.core.run_status import failure, last_words

SAID = canonical_json(LastWords(reason="DigestMismatch", message="model.onnx differs")).decode()


def pod(message: str, key: str = "lastState") -> dict[str, Any]:
    ended = {"exitCode": 10, "message": message}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    states = {"state": waiting, "lastState": {}, key: {"terminated": ended}}
    return {"status": {"containerStatuses": [{"name": "server", **states}]}}


@pytest.mark.parametrize("key", ["lastState", "state"])
def test_a_servers_last_words_are_its_reason_and_sentence(key: str):
    assert last_words([pod(SAID, key)]) == "DigestMismatch: model.onnx differs"


def test_the_beginning_of_a_long_sentence_is_kept():
    long = canonical_json(LastWords(reason="Why", message="because " * 100)).decode()
    assert last_words([pod(long)]).startswith("Why: because")
    assert len(last_words([pod(long)])) == 300


@pytest.mark.parametrize("log", ["x" * 400 + "the end", '{"level": "error"} the end'])
def test_of_a_crash_the_end_of_the_log_is_told(log: str):
    words = last_words([pod(log)])
    assert words.endswith("the end")
    assert len(words) <= 300


def test_a_pod_that_never_ended_tells_what_it_waits_for():
    waits = pod(SAID)
    waits["status"]["containerStatuses"][0]["lastState"] = {}
    assert last_words([waits]) == "back-off 10s"


def test_a_sidecar_that_was_killed_is_not_what_failed():
    ended = {"checkpoints": 137, "train": 3}
    statuses = [
        {"name": name, "state": {"terminated": {"exitCode": code}}} for name, code in ended.items()
    ]
    pod = {
        "metadata": {"name": "p"},
        "status": {"phase": "Failed", "initContainerStatuses": statuses},
    }
    assert failure({"spec": {}}, [pod]).stage == "train"
