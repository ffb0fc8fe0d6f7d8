"""Baselines of live hours: learnt, kept in the store, read once, and never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from pawl.api.deployment import ServedVersion
from pawl.api.drift import DriftSpec
from pawl.control.baselines import Baselines
from pawl.control.features import Described, Steps
from pawl.control.hours import Hours
from pawl.control.windows import Windows
from pawl.core.watch import DriftObserved, watch
from pawl.errors import StoreError
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import Window, counted, empty

LAYOUT = Layout.of([Feature("age", "numeric", [5000.0, 5000.0, 0.0, 0.0], [5.0, 5.0], [1.0, 9.0])])
FIRST, WEEK = 500_000, 168
ITEM = {"metadata": {"uid": "u1", "namespace": "ml", "name": "m"}}


def hour(rows: int = 60, *, fine: bool = False) -> bytes:
    more: dict[str, Any] = {}
    if fine:
        more = {"fine": np.array([rows, 0], dtype=np.uint32), "fine_sums": np.ones(2)}
    cells = np.array([[rows, 0, 0, 0]], dtype=np.uint32)
    return counted(LAYOUT, cells, **more).dump(LAYOUT)


@dataclass
class Store:
    """Remembers what was asked for; `down` it answers nothing."""

    there: dict[int, bytes] = field(default_factory=dict)
    down: bool = False
    asked: list[list[int]] = field(default_factory=list)
    lists: int = 0

    async def hours(self, *_: str) -> list[int]:
        self.lists += 1
        if self.down:
            raise StoreError("no answer")
        return sorted(self.there)

    async def kept(self, *args: Any) -> dict[int, bytes]:
        hours: Iterable[int] = args[3]
        self.asked.append(sorted(hours))
        if self.down:
            raise StoreError("no answer")
        return {n: self.there[n] for n in self.asked[-1] if n in self.there}


class World:
    """One Deployment; hours count from FIRST."""

    def __init__(self, baseline: str, **there: bytes) -> None:
        self.store = Store({FIRST + int(name[1:]): data for name, data in there.items()})
        self.spec = DriftSpec.model_validate({"baseline": baseline})
        self.baselines = Baselines(cast(Any, self.store))
        self.hours = Hours()

    def look(
        self, at: float, length: float = 1, *, version: str = "m-v1", later: float = 0.0
    ) -> DriftObserved:
        """At the beginning of a window of so many hours; `later` in seconds."""
        start = int((FIRST + at) * 3600)
        seen = DriftObserved(version, start, start, LAYOUT, empty(LAYOUT))
        end, now = start + int(length * 3600), start + later
        return asyncio.run(
            self.baselines.compared(ITEM, self.spec, seen, self.hours, end, float(now))
        )


def rows(window: Window | None) -> int:
    assert window is not None
    return window.rows


def test_the_training_data_need_no_store():
    world = World("training", h0=hour())
    seen = world.look(400)
    assert (seen.reference, seen.no_baseline, world.store.lists) == (None, None, 0)


def test_the_same_hours_of_last_week_are_added_up():
    world = World("sameHourLastWeek", h0=hour(10), h1=hour(20), h2=hour(40))
    assert rows(world.look(WEEK + 0.5).reference) == 30
    assert rows(world.look(WEEK + 1).reference) == 20


def test_hours_that_are_not_there_are_left_out():
    world = World("sameHourLastWeek", h1=hour(20))
    assert rows(world.look(WEEK + 0.5).reference) == 20
    seen = world.look(WEEK + 5)
    assert seen.reference is None
    assert seen.no_baseline is not None
    assert seen.no_baseline.reason == "LearningBaseline"


def test_what_is_in_memory_is_not_read_again():
    world = World("sameHourLastWeek", h0=hour(10), h1=hour(20), h2=hour(40))
    world.look(WEEK)
    world.look(WEEK, later=300)
    assert world.store.asked == [[FIRST]]
    assert rows(world.look(WEEK, 3).reference) == 70
    assert world.store.asked == [[FIRST], [FIRST + 1, FIRST + 2]]


def test_the_first_week_is_learnt_from_its_first_hour_on():
    world = World("firstWeek")
    seen = world.look(0)
    assert seen.no_baseline is not None
    assert "first hour" in seen.no_baseline.message
    world.hours.closed[FIRST] = hour()
    seen = world.look(1)
    assert list(seen.hours) == [FIRST]
    world.store.there |= seen.hours
    seen = world.look(1, later=5)
    assert (seen.hours, world.hours.closed) == ({}, {})
    assert seen.no_baseline is not None
    assert seen.no_baseline.message == "the first week is over at 2027-01-22T08:00:00Z"
    assert world.store.lists == 1


def test_a_window_that_began_in_the_first_week_is_not_compared_with_itself():
    world = World("firstWeek", h0=hour(10), h100=hour(20), h200=hour(999))
    assert world.look(WEEK - 0.5).reference is None
    assert world.store.asked == []
    assert rows(world.look(WEEK).reference) == 30
    assert rows(world.look(WEEK + 1).reference) == 30
    assert len(world.store.asked) == 1


def test_the_first_week_waits_for_hours_that_are_not_kept_yet():
    world = World("firstWeek", h0=hour(10))
    world.hours.closed = {FIRST + 167: hour(20)}
    seen = world.look(WEEK)
    assert seen.reference is None
    world.store.there |= seen.hours
    assert rows(world.look(WEEK, later=5).reference) == 30


def test_hours_after_the_first_week_are_not_kept():
    world = World("firstWeek", h0=hour())
    world.hours.closed = {FIRST + 200: hour()}
    assert world.look(201).hours == {}
    assert world.hours.closed == {}


def test_an_hour_is_offered_until_it_is_there_but_not_at_every_look():
    world = World("sameHourLastWeek")
    world.hours.closed = {FIRST: hour()}
    offered = [list(world.look(1, later=later).hours) for later in (0, 5, 61)]
    assert offered == [[FIRST], [], [FIRST]]


def test_a_store_that_is_down_is_said_and_left_alone_for_a_minute():
    world = World("sameHourLastWeek", h0=hour(10))
    world.hours.closed = {FIRST + WEEK - 1: hour()}
    world.store.down = True
    seen = world.look(WEEK)
    assert seen.no_baseline is not None
    assert seen.no_baseline.reason == "StoreUnreachable"
    assert "no answer" in seen.no_baseline.message
    assert seen.hours == {}
    world.store.down = False
    assert world.look(WEEK, later=59).no_baseline is not None
    assert world.store.lists == 1
    seen = world.look(WEEK, later=60)
    assert rows(seen.reference) == 10
    assert list(seen.hours) == [FIRST + WEEK - 1]


def test_what_is_in_memory_outlives_the_store():
    world = World("sameHourLastWeek", h0=hour(10), h1=hour(10))
    world.look(WEEK)
    world.store.down = True
    assert world.look(WEEK, 2).no_baseline is not None
    assert rows(world.look(WEEK, later=5).reference) == 10


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(hour()[:-3], id="half of it"),
        pytest.param(hour().replace(b"pwd1", b"pwd9"), id="another format"),
    ],
)
def test_an_hour_that_cannot_be_read_is_left_out(data: bytes, caplog: pytest.LogCaptureFixture):
    world = World("sameHourLastWeek", h0=data, h1=hour(20))
    assert rows(world.look(WEEK, 2).reference) == 20
    assert "is of no use" in caplog.text


def test_only_hours_with_fine_bins_serve_a_metric_that_needs_them():
    world = World("sameHourLastWeek", h0=hour(10), h1=hour(20, fine=True))
    world.spec = DriftSpec.model_validate(
        {"baseline": "sameHourLastWeek", "features": {"metric": "ks"}}
    )
    reference = world.look(WEEK, 2).reference
    assert rows(reference) == 20
    assert reference is not None
    assert reference.fine is not None


def test_another_version_has_another_baseline():
    world = World("firstWeek", h0=hour(10))
    assert rows(world.look(WEEK).reference) == 10
    world.store.there = {}
    assert world.look(WEEK, version="m-v2").reference is None


def test_what_is_gone_is_forgotten():
    world = World("sameHourLastWeek", h0=hour(10))
    world.look(WEEK)
    world.baselines.forget(frozenset({"u2"}))
    assert world.baselines._known == {}


class Daily:
    """A pod whose users are others at night: 20 rows a minute, mixed by the hour of the day."""

    def __init__(self) -> None:
        self.broken_from = 10**12

    async def layout(self, *_: Any) -> Described:
        return Described("abc", LAYOUT)

    async def steps(
        self, _: int, __: Any, begin: int, end: int, step: int, *, fine: bool
    ) -> list[Steps]:
        night = np.arange(begin, end, step) // 3600 % 24 < 8
        low = np.where(night, 3, 17)
        low[np.arange(begin, end, step) >= self.broken_from] = 10
        cells = np.stack([low, 20 - low, 0 * low, 0 * low], axis=1).astype(np.uint32)
        return [Steps("abc", begin, step, cells)]


async def verdicts(baseline: str, days: int, *, broken_from: int = 10**6) -> list[tuple[str, str]]:
    """Of all windows of so many days, by hours from the first one on; the store has what the plans
    keep."""
    pod, store = Daily(), Store()
    pod.broken_from = (FIRST + broken_from) * 3600
    windows = Windows(cast(Any, pod), Baselines(cast(Any, store)))
    spec = DriftSpec.model_validate({"baseline": baseline})
    stable = ServedVersion(name="m-v1", version=1, uri="file:///x", digest="sha256:" + "0" * 64)
    status, seen, found = None, None, []
    for second in range(FIRST * 3600, (FIRST + 24 * days) * 3600 + 60, 1200):
        now = datetime.fromtimestamp(second + 4, UTC)
        item = {
            **ITEM,
            "spec": {"drift": {"baseline": baseline}},
            "status": {
                "stable": stable.model_dump(by_alias=True),
                "drift": status and status.model_dump(by_alias=True),
            },
        }
        if status is not None:
            seen = await windows.observed(item, [], None, now)
        decided = watch(spec, status, stable, seen, now if status else now - timedelta(seconds=4))
        status = decided.status
        if seen is not None:
            store.there |= seen.hours
        if decided.decided is not None:
            found.append((decided.decided.verdict, decided.decided.reason))
    return found


async def test_days_and_nights_are_drift_from_the_training_data():
    assert set(await verdicts("training", 1)) == {("Fail", "")}


async def test_the_same_hour_of_last_week_knows_day_and_night():
    found = await verdicts("sameHourLastWeek", 8, broken_from=WEEK + 12)
    assert set(found[:WEEK]) == {("Inconclusive", "LearningBaseline")}
    assert set(found[WEEK : WEEK + 12]) == {("Pass", "")}
    assert set(found[WEEK + 12 :]) == {("Fail", "")}
    assert len(found) == 8 * 24


async def test_a_week_is_learnt_before_anything_is_judged_by_it():
    found = await verdicts("firstWeek", 8)
    assert set(found[:WEEK]) == {("Inconclusive", "LearningBaseline")}
    assert len(found) == 8 * 24
    assert ("Inconclusive", "LearningBaseline") not in found[WEEK:]
