"""The host keeps going: failures are retried, odd objects are passed over."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import pytest

from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.controllers.host import Host
from pawl.local.controllers.objects import Key, Obj, key_of, name


class Probe:
    """Reconciles namespaces: fails as often as told, then remembers and sets `done`."""

    name = "probe"

    def __init__(self, failures: list[Exception], again: float | None = None) -> None:
        self.failures, self.again = failures, again
        self.seen: list[str] = []
        self.done = asyncio.Event()

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {"namespaces": self._wakes}

    def _wakes(self, obj: Obj) -> list[Key]:
        if name(obj) == "odd":
            raise KeyError("odd")
        return [key_of(obj)]

    def reconcile(self, key: Key, now: datetime) -> float | None:
        if self.failures:
            raise self.failures.pop()
        self.seen.append(key.name)
        if self.again is None or len(self.seen) > 1:
            self.done.set()
        return self.again


async def watched(probe: Probe, *namespaces: str) -> None:
    registry, stop = Registry(), asyncio.Event()
    running = asyncio.create_task(Host(registry, [probe]).run(stop))
    for each in namespaces:
        registry.create("namespaces", None, {"metadata": {"name": each}}, manager="t")
    async with asyncio.timeout(5):
        await probe.done.wait()
        stop.set()
        await running


async def test_a_failure_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    probe = Probe([ValueError("broken"), ApiError(409, "Conflict", "stale")])
    with caplog.at_level(logging.ERROR):
        await watched(probe, "n")
    assert probe.seen == ["n"]
    # a refusal by the API is everyday life; anything else is a fault and is logged as one
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_an_object_that_cannot_be_read_is_passed_over() -> None:
    probe = Probe([])
    await watched(probe, "odd", "n")
    assert probe.seen == ["n"]


async def test_a_key_comes_back_when_it_asked_to() -> None:
    probe = Probe([], again=0.01)
    await watched(probe, "n")
    assert probe.seen == ["n", "n"]
