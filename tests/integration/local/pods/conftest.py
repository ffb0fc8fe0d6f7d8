"""A cluster in this process, and short words for what is done with its pods."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pawl.local.api.errors import ApiError
from pawl.local.api.podlogs import LogOptions
from pawl.local.cluster import Cluster

Obj = dict[str, Any]
NAMESPACE = "default"
LIMIT = 20.0


class Pods:
    """Everything happens in namespace `default`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.registry = cluster.registry

    def create(self, spec: Obj, name: str = "p", **metadata: Any) -> Obj:
        return self.make("pods", {"metadata": {"name": name, **metadata}, "spec": spec})

    def run(self, script: str, name: str = "p", **container: Any) -> Obj:
        """A pod with one container `c` that runs a shell script once."""
        return self.create(
            {"restartPolicy": "Never", "containers": [sh(script, **container)]}, name
        )

    def make(self, resource: str, obj: Obj) -> Obj:
        return self.registry.create(resource, NAMESPACE, obj, manager="test")

    def patch(self, resource: str, name: str, body: Obj) -> Obj:
        return self.registry.patch(
            resource, NAMESPACE, name, body, kind="strategic", manager="test"
        )

    def get(self, name: str = "p") -> Obj:
        return self.registry.get("pods", NAMESPACE, name)

    def delete(self, name: str = "p", grace: int | None = None) -> None:
        self.registry.delete("pods", NAMESPACE, name, manager="test", grace_period=grace)

    async def until(
        self, condition: Callable[[Obj], Any], name: str = "p", limit: float = LIMIT
    ) -> Obj:
        """The pod as soon as it fulfils `condition`; fails after `limit` seconds."""
        with contextlib.closing(self.registry.watch("pods", fields=f"metadata.name={name}")) as w:
            current = self.get(name)
            try:
                async with asyncio.timeout(limit):
                    while not condition(current):
                        current = (await anext(w)).object
            except TimeoutError:
                raise AssertionError(f"not in time: {current.get('status')}") from None
            return current

    async def finished(self, name: str = "p") -> Obj:
        return await self.until(lambda pod: phase(pod) in ("Succeeded", "Failed"), name)

    async def ready(self, name: str = "p") -> Obj:
        return await self.until(is_ready, name)

    async def gone(self, name: str = "p", limit: float = LIMIT) -> None:
        async with asyncio.timeout(limit):
            with contextlib.closing(self.registry.watch("pods")) as watch:
                while any(p["metadata"]["name"] == name for p in self.registry.list("pods")):
                    await anext(watch)

    async def logs(self, container: str = "c", name: str = "p", **options: Any) -> str:
        blocks = self.cluster.node.logs(NAMESPACE, name, container, LogOptions(**options))
        return b"".join([block async for block in blocks]).decode()

    def events(self, name: str = "p") -> list[tuple[str, str, str]]:
        """(type, reason, message), oldest first."""
        found = [
            event
            for event in self.registry.list("events")
            if event["involvedObject"]["name"] == name
        ]
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["type"], event["reason"], event["message"]) for event in found]

    async def event(self, reason: str, name: str = "p", limit: float = LIMIT) -> str:
        """The message of the first event with that reason; waits for it."""
        with contextlib.closing(self.registry.watch("events")) as watch:
            async with asyncio.timeout(limit):
                while True:
                    for _, seen, message in self.events(name):
                        if seen == reason:
                            return message
                    await anext(watch)


def sh(script: str, name: str = "c", **container: Any) -> Obj:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **container}


def phase(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def is_ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def container(pod: Obj, name: str = "c") -> Obj:
    """The status of a container; empty before the node has seen the pod."""
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((each for each in every if each["name"] == name), {"state": {}, "restartCount": 0})


def waiting(pod: Obj, name: str = "c") -> str:
    return str((container(pod, name)["state"].get("waiting") or {}).get("reason", ""))


class Words:
    """The functions above, for tests: a conftest cannot be imported."""

    sh = staticmethod(sh)
    phase = staticmethod(phase)
    container = staticmethod(container)
    waiting = staticmethod(waiting)
    ApiError = ApiError


@pytest.fixture
def words() -> type[Words]:
    return Words


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(tmp_path / "cluster", crds=False) as cluster:
        yield cluster


@pytest.fixture
async def pods(cluster: Cluster) -> Pods:
    return Pods(cluster)
