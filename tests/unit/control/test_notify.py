"""Notifications: who gets which, tries, bounds, and what is said of those that were lost."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, cast

import orjson
import pytest

from pawl.control.cloudevents import Message
from pawl.control.notify import MOST_WAITING, PAUSES, Notifier, until
from pawl.control.outside import RefusedError, UnavailableError
from pawl.control.webhooks import Target
from pawl.core.plan import Event

HOOK = "https://hooks.example/T0/secret-path"


def deployment(*notify: dict[str, Any], name: str = "churn") -> dict[str, Any]:
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ml", "uid": "u", "resourceVersion": "1"},
        "spec": {"model": "churn", "notify": list(notify)},
    }


ITEM = deployment({"webhook": HOOK})


class Api:
    """Keeps the Kubernetes events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def create(self, _: Any, item: Any) -> None:
        self.events.append(f"{item['reason']}: {item['message']}")


class World:
    """A notifier whose receiver answers what it is told to, then well; and no time passes."""

    def __init__(self, *answers: Exception) -> None:
        self.api = Api()
        self.answers = deque(answers)
        self.tried: list[tuple[Target, Message]] = []
        self.taken: list[str] = []
        self.pauses: list[float] = []
        self.now = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.notifier = Notifier(
            cast(Any, self.api), self.send, pause=self.pause, clock=lambda: self.now
        )

    async def send(self, target: Target, message: Message) -> None:
        self.tried.append((target, message))
        await self.open.wait()
        if self.answers:
            raise self.answers.popleft()
        self.taken.append(orjson.loads(message.body)["data"]["message"])

    async def pause(self, _: asyncio.Event, seconds: float) -> None:
        self.pauses.append(seconds)

    def tell(self, reason: str = "Promoted", message: str = "m", item: Any = ITEM) -> None:
        self.notifier.tell(item, {}, Event(reason, message))

    async def quiet(self) -> None:
        """Until nothing is being sent any more."""
        tasks = [line.task for line in self.notifier._lines.values() if line.task is not None]
        await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("events", "reason", "told"),
    [
        pytest.param([], "Promoted", True, id="all"),
        pytest.param([], "RolloutAdvanced", False, id="not worth a notification"),
        pytest.param([], "NotifyFailed", False, id="never about itself"),
        pytest.param(["Drifted"], "Drifted", True, id="chosen"),
        pytest.param(["Drifted"], "Promoted", False, id="not chosen"),
    ],
)
async def test_a_webhook_gets_the_events_it_wants(events: list[str], reason: str, told: bool):
    w = World()
    w.tell(reason, item=deployment({"webhook": HOOK, "events": events}))
    await w.quiet()
    assert bool(w.taken) == told


async def test_each_webhook_is_told_of_the_same_occurrence():
    w = World()
    w.tell(item=deployment({"webhook": HOOK}, {"webhook": "http://b.ml", "secretName": "s"}))
    await w.quiet()
    assert {target.secret_name for target, _ in w.tried} == {None, "s"}
    assert len({message.id for _, message in w.tried}) == 1


async def test_what_is_not_taken_is_sent_again_with_growing_pauses():
    w = World(UnavailableError("busy"), UnavailableError("busy"))
    w.tell()
    await w.quiet()
    assert w.taken == ["m"]
    assert len({message for _, message in w.tried}) == 1
    assert [p <= most for p, most in zip(w.pauses, PAUSES, strict=False)] == [True, True]
    assert w.pauses[0] < w.pauses[1]
    assert w.api.events == []


async def test_what_is_never_taken_is_given_up_and_told_without_the_path():
    w = World(*[UnavailableError("it answers 503")] * 99)
    w.tell()
    await w.quiet()
    assert len(w.tried) == len(PAUSES) + 1
    assert sum(w.pauses) < 15 * 60
    said = "NotifyFailed: 1 notification was not delivered to hooks.example: it answers 503"
    assert w.api.events == [said]


async def test_what_is_refused_is_not_sent_again():
    w = World(RefusedError("it answers 404"))
    w.tell(message="first")
    w.tell(message="second")
    await w.quiet()
    assert w.taken == ["second"]
    assert w.pauses == []


async def test_losses_are_told_once_an_hour_and_counted():
    w = World(*[RefusedError("it answers 404")] * 4)
    for _ in range(3):
        w.tell()
        await w.quiet()
    assert len(w.api.events) == 1
    w.now = 3601.0
    w.tell()
    await w.quiet()
    assert "3 notifications were not delivered" in w.api.events[1]


async def test_a_dead_receiver_delays_nobody_and_holds_a_bounded_number():
    w = World()
    w.open.clear()
    begun = time.monotonic()
    for i in range(3 * MOST_WAITING):
        w.tell(message=str(i))
    assert time.monotonic() - begun < 1
    (line,) = w.notifier._lines.values()
    assert len(line.waiting) == MOST_WAITING
    w.open.set()
    await w.quiet()
    assert w.taken[-1] == str(3 * MOST_WAITING - 1)
    assert line.lost == 2 * MOST_WAITING


async def test_a_dead_receiver_does_not_hold_up_another():
    w = World()
    w.open.clear()
    w.tell(item=deployment({"webhook": HOOK}, {"webhook": "http://b.ml"}))
    for _ in range(5):
        await asyncio.sleep(0)
    assert {target.host for target, _ in w.tried} == {"hooks.example", "b.ml"}
    await w.notifier.close(seconds=0)


async def test_memory_does_not_grow_with_all_that_ever_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pawl.control.notify._FEW", 10)
    w = World()
    for i in range(50):
        w.tell(item=deployment({"webhook": HOOK}, name=f"d{i}"))
        await w.quiet()
    assert len(w.notifier._lines) <= 10


async def test_what_waits_is_sent_at_the_end():
    w = World()
    for number in range(3):
        w.tell(message=str(number))
    await w.notifier.close()
    assert w.taken == ["0", "1", "2"]


async def test_what_waits_for_its_next_try_is_tried_once_more_at_the_end():
    w = World(UnavailableError("busy"))
    pausing = asyncio.Event()

    async def pause(closing: asyncio.Event, _: float) -> None:
        pausing.set()
        await until(closing, 60)

    w.notifier = Notifier(cast(Any, w.api), w.send, pause=pause)
    w.tell()
    await pausing.wait()
    await w.notifier.close()
    assert w.taken == ["m"]


async def test_a_receiver_that_is_away_at_the_end_is_not_waited_for(
    caplog: pytest.LogCaptureFixture,
):
    w = World(*[UnavailableError("it answers 503")] * 9)
    w.tell()
    w.tell()
    await w.notifier.close()
    assert (len(w.tried), w.pauses, w.api.events) == (2, [], [])
    assert "a notification to hooks.example was not delivered: it answers 503" in caplog.text


async def test_the_end_is_bounded(caplog: pytest.LogCaptureFixture):
    w = World()
    w.open.clear()
    w.tell()
    w.tell()
    await w.notifier.close(seconds=0.01)
    assert all(line.idle for line in w.notifier._lines.values())
    assert "2 notifications were not sent before the end" in caplog.text


async def test_a_defect_does_not_stop_what_waits(caplog: pytest.LogCaptureFixture):
    w = World(ValueError("a defect"))
    w.tell(message="first")
    w.tell(message="second")
    await w.quiet()
    assert w.taken == ["second"]
    assert "notifying failed" in caplog.text
