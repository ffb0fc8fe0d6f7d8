"""The loop: what is tried again, and what cannot be helped by trying again."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest

from pawl.control import loop as control
from pawl.control.answers import KubeError, refusal
from pawl.control.loop import Loop
from pawl.control.queue import Key, Queue
from pawl.core.plan import Delete, Plan

KEY = Key("ModelVersion", "ml", "m-v1")

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
    """Has every object but those that are `gone`; of those that are `known` something was told."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.known: set[str] = set()

    def get(self, _: Any, namespace: str, name: str) -> Any:
        found: dict[str, Any] = {"metadata": {"name": name, "namespace": namespace}}
        if name in self.known:
            found["status"] = {"phase": "Ready"}
        return None if name in self.gone else found


class Executor:
    """Fails as told; writes down what it does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.done: list[str] = []

    async def act(self, item: Any, plan: Plan) -> None:
        self.done.append(f"act {item['metadata']['name']}")

    async def tell(self, resource: Any, item: Any, plan: Plan) -> None:
        self.done.append(f"tell {item['metadata']['name']}")
        if self.error is not None:
            raise self.error


def loop_of(queue: Queue, cache: Any, executor: Executor, *actions: Any) -> Loop:
    """Its plans have these actions."""
    unused: Any = None
    loop = Loop(queue, cache, unused, executor, unused)  # type: ignore[arg-type]

    async def plan(_: Any) -> Plan:
        return Plan(actions=actions)

    loop._planners["ModelVersion"] = plan
    return loop


async def turns(loop: Loop, count: int) -> None:
    async with asyncio.timeout(5):
        for _ in range(count):
            await loop.turn()


async def after_one_round(error: Exception | None) -> Queue:
    """The queue when the key has been worked on once."""
    queue, executor = Queue(), Executor(error)
    queue.add(KEY)
    loop = loop_of(queue, Cache(), executor)
    await turns(loop, 1)
    return queue


def comes_back(queue: Queue) -> bool:
    """Whether the key is waiting for another try."""
    return len(queue) > 0 or queue.delayed() > 0


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


async def test_nothing_is_told_again_of_what_is_gone(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    queue = await after_one_round(KubeError(404, "NotFound", "m-v1 not found"))
    assert not comes_back(queue)
    assert caplog.text == ""


async def test_a_conflict_is_tried_again_without_a_warning(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    queue = await after_one_round(KubeError(409, "Conflict", "modified"))
    assert comes_back(queue)
    assert caplog.text == ""


ACTION = Delete("v1", "ConfigMap", "ml", "x", "u")


def keys(*names: str) -> list[Key]:
    return [Key("ModelVersion", "ml", name) for name in names]


async def test_all_is_acted_on_before_anything_is_told():
    queue, executor = Queue(), Executor()
    for key in keys("a", "b", "c"):
        queue.add(key)
    loop = loop_of(queue, Cache(), executor, ACTION)
    await turns(loop, 7)  # in one of them nothing comes any more
    assert executor.done == ["act a", "act b", "act c", "tell a", "tell b", "tell c"]


async def test_one_alone_is_told_at_once():
    queue, executor = Queue(), Executor()
    queue.add(KEY)
    await turns(loop_of(queue, Cache(), executor, ACTION), 1)
    assert executor.done == [f"act {KEY.name}", f"tell {KEY.name}"]


async def test_a_new_one_waits_for_others_that_may_come(monkeypatch: pytest.MonkeyPatch):
    """One that comes right after another is the next of many, also when the queue is empty."""
    monkeypatch.setattr(control, "_QUIET", 60.0)
    queue, executor, cache = Queue(), Executor(), Cache()
    loop = loop_of(queue, cache, executor, ACTION)
    for key in keys("a", "b"):
        queue.add(key)
        await turns(loop, 1)
    assert executor.done == ["act a", "tell a", "act b"]
    cache.known.add("c")
    (known,) = keys("c")
    queue.add(known)
    await turns(loop, 1)
    assert executor.done == ["act a", "tell a", "act b", "act c", "tell c"]


async def test_what_only_tells_is_not_put_off():
    queue, executor = Queue(), Executor()
    for key in keys("a", "b"):
        queue.add(key)
    await turns(loop_of(queue, Cache(), executor), 2)
    assert executor.done == ["act a", "tell a", "act b", "tell b"]


async def test_nothing_is_put_off_for_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(control, "_UNTOLD", 0.0)
    queue, executor = Queue(), Executor()
    for key in keys("a", "b", "c"):
        queue.add(key)
    loop = loop_of(queue, Cache(), executor, ACTION)
    await turns(loop, 2)
    assert executor.done == ["act a", "tell a"]


async def test_of_what_was_deleted_meanwhile_nothing_is_told():
    queue, executor, cache = Queue(), Executor(), Cache()
    for key in keys("a", "b"):
        queue.add(key)
    loop = loop_of(queue, cache, executor, ACTION)
    await turns(loop, 1)
    cache.gone.add("a")
    await turns(loop, 4)
    assert executor.done == ["act a", "act b", "tell b"]
    assert not comes_back(queue)


async def test_a_key_is_in_work_until_it_is_told():
    """What changes meanwhile is looked at afterwards."""
    queue, executor = Queue(), Executor()
    for key in keys("a", "b"):
        queue.add(key)
    loop = loop_of(queue, Cache(), executor, ACTION)
    await turns(loop, 1)
    queue.add(Key("ModelVersion", "ml", "a"))
    await turns(loop, 6)
    assert executor.done == ["act a", "act b", "tell a", "act a", "tell a", "tell b"]
