"""The reflector: what vanished during a relist is reported, own writes wake, old news does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pawl.control.kinds import PODS
from pawl.control.kube import KubeError
from pawl.control.reflector import Reflector


def pod(name: str, version: int, uid: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "ml",
            "uid": uid or name,
            "resourceVersion": str(version),
        },
    }


class Server:
    """Lists and watch streams, one after the other; a list may be an error."""

    def __init__(self, *turns: tuple[list[dict[str, Any]] | KubeError, list[Any]]) -> None:
        self._turns = list(turns)
        self._events: list[Any] = []
        self.idle = asyncio.Event()

    async def list(self, resource: Any, namespace: Any) -> tuple[list[dict[str, Any]], str]:
        await asyncio.sleep(0)
        items, self._events = self._turns.pop(0)
        if isinstance(items, KubeError):
            raise items
        return items, "10"

    async def watch(self, *_: Any) -> AsyncIterator[dict[str, Any]]:
        while self._events:
            event = self._events.pop(0)
            if isinstance(event, Exception):
                raise event
            yield event
        self.idle.set()
        await asyncio.sleep(3600)


async def follow(server: Server) -> tuple[Reflector, list[str], asyncio.Task[None]]:
    told: list[str] = []
    reflector = Reflector(
        server,  # type: ignore[arg-type]
        PODS,
        None,
        lambda _, item, before: told.append(f"{item['metadata']['name']}@{_version(item)}"),
    )
    task = asyncio.create_task(reflector.run())
    await asyncio.wait_for(server.idle.wait(), 10)
    return reflector, told, task


def _version(item: Any) -> str:
    return str(item["metadata"]["resourceVersion"])


async def test_list_then_watch():
    events = [
        {"type": "MODIFIED", "object": pod("a", 11)},
        {"type": "BOOKMARK", "object": pod("", 12)},
        {"type": "DELETED", "object": pod("b", 13)},
        {"type": "ADDED", "object": pod("c", 14)},
    ]
    reflector, told, task = await follow(Server(([pod("a", 1), pod("b", 2)], events)))
    assert told == ["a@1", "b@2", "a@11", "b@13", "c@14"]
    assert sorted(item["metadata"]["name"] for item in reflector.all()) == ["a", "c"]
    task.cancel()


async def test_what_vanished_during_a_relist_is_told():
    gone = [KubeError(410, "Expired", "too old resource version")]
    server = Server(([pod("a", 1), pod("b", 2)], gone), ([pod("b", 2)], []))
    reflector, told, task = await follow(server)
    assert told == ["a@1", "b@2", "a@1"]
    assert reflector.get("ml", "a") is None
    task.cancel()


async def test_a_list_whose_pages_expire_on_the_way_is_begun_anew():
    expired = KubeError(410, "Expired", "the provided continue parameter is too old")
    _, told, task = await follow(Server((expired, []), ([pod("a", 1)], [])))
    assert told == ["a@1"]
    task.cancel()


async def test_an_own_write_wakes_and_its_watch_event_does_not_wake_again():
    server = Server(([pod("a", 1)], []))
    reflector, told, task = await follow(server)
    reflector.learn(pod("a", 7))
    reflector.learn(pod("a", 7))
    reflector.learn(pod("a", 5))
    assert told == ["a@1", "a@7"]
    task.cancel()


async def test_an_object_of_the_same_name_with_another_uid_replaces_the_old_one():
    reflector, told, task = await follow(Server(([pod("a", 9)], [])))
    reflector.learn(pod("a", 3, uid="another"))
    assert told[-1] == "a@3"
    task.cancel()


def test_of_managed_fields_it_keeps_who_asked_for_what():
    fields = {
        "f:metadata": {"f:annotations": {"f:pawl.dev/promote": {}, "f:team": {}}},
        "f:spec": {"f:approval": {}, "f:model": {}},
        "f:status": {},
    }
    item = pod("a", 1)
    item["metadata"]["managedFields"] = [
        {"manager": "pawl-cli", "operation": "Update", "time": "T", "fieldsV1": fields},
        {"manager": "kubelet", "fieldsV1": {"f:status": {}}},
    ]
    reflector = Reflector(None, PODS, None, lambda *_: None)  # type: ignore[arg-type]
    reflector.learn(item)
    kept = reflector.get("ml", "a")
    assert kept is not None
    assert kept["metadata"]["managedFields"] == [
        {
            "manager": "pawl-cli",
            "time": "T",
            "fieldsV1": {
                "f:metadata": {"f:annotations": {"f:pawl.dev/promote": {}}},
                "f:spec": {"f:approval": {}},
            },
        }
    ]


async def test_a_watch_that_breaks_off_goes_on_where_it_was():
    broken = [{"type": "MODIFIED", "object": pod("a", 11)}, KubeError(0, "NoAnswer", "reset")]
    server = Server(([pod("a", 1)], broken))  # a second list would fail
    _, told, task = await follow(server)
    assert told == ["a@1", "a@11"]
    task.cancel()


async def test_one_that_is_run_again_is_synced_once_it_has_listed_again():
    server = Server(([pod("a", 1)], []), ([pod("a", 2)], []))
    reflector, told, task = await follow(server)
    task.cancel()
    await asyncio.wait([task])
    server.idle.clear()
    again = asyncio.create_task(reflector.run())
    await asyncio.sleep(0)
    assert not reflector.synced.is_set()
    await asyncio.wait_for(server.idle.wait(), 10)
    assert reflector.synced.is_set()
    assert told == ["a@1", "a@2"]
    again.cancel()
