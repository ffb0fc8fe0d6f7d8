"""The loop: what is tried again, and what cannot be helped by trying again."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from pawl.control.answers import KubeError, refusal
from pawl.control.loop import Loop
from pawl.control.queue import Key, Queue
from pawl.core.plan import Plan

KEY = Key("ModelVersion", "ml", "m-v1")
ITEM = {"metadata": {"name": "m-v1", "namespace": "ml"}}

# As kube-apiserver answers it.
ENDING = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": 'services "m" is forbidden: unable to create new content in namespace ml because it '
    "is being terminated",
    "reason": "Forbidden",
    "details": {
        "name": "m",
        "kind": "services",
        "causes": [
            {
                "reason": "NamespaceTerminating",
                "message": "namespace ml is being terminated",
                "field": "metadata.namespace",
            }
        ],
    },
    "code": 403,
}


class Cache:
    def get(self, *_: Any) -> Any:
        return ITEM


class Executor:
    """Fails as told."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def run(self, *_: Any) -> None:
        if self.error is not None:
            raise self.error


async def after_one_round(error: Exception | None) -> Queue:
    """The queue when the key has been worked on once."""
    queue = Queue()
    unused: Any = None
    loop = Loop(queue, Cache(), unused, Executor(error), unused)  # type: ignore[arg-type]

    async def plan(_: Any) -> Plan:
        return Plan()

    loop._planners["ModelVersion"] = plan
    queue.add(KEY)
    await queue.get()
    await loop._reconcile(KEY)
    queue.done(KEY)
    return queue


def comes_back(queue: Queue) -> bool:
    """Whether the key is waiting for another try."""
    return len(queue) > 0 or queue._next_timer() is not None


async def test_a_refused_request_is_tried_again_and_told(caplog: pytest.LogCaptureFixture):
    error = refusal(403, orjson.dumps({"reason": "Forbidden", "message": "no right", "code": 403}))
    assert not error.namespace_ends
    queue = await after_one_round(error)
    assert comes_back(queue)
    assert "no right" in caplog.text


async def test_nothing_is_tried_again_in_a_namespace_that_ends(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    queue = await after_one_round(refusal(403, orjson.dumps(ENDING)))
    assert not comes_back(queue)
    assert caplog.text == ""


async def test_a_conflict_is_tried_again_without_a_warning(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    queue = await after_one_round(KubeError(409, "Conflict", "modified"))
    assert comes_back(queue)
    assert caplog.text == ""
