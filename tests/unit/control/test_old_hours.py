"""Hours that nothing can be compared with any more go, and nothing else does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pawl.control.old_hours import OldHours
from pawl.control.records import Records
from pawl.core.plan import KeepHour

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from world import DIGEST, INSTALLATION

NOW = 500_000
WEEK, DAY = 168, 24


def deployment(name: str, spec: dict[str, Any], *versions: str) -> dict[str, Any]:
    """Serves the first of the versions; the others were served before, newest first."""
    stable = {"name": versions[0], "version": 1, "uri": "file:///x", "digest": DIGEST}
    history = [{"version": v, "at": "2027-01-01T00:00:00Z", "reason": "-"} for v in versions]
    return {
        "metadata": {"namespace": "ml", "name": name},
        "spec": {"model": "m", "drift": spec},
        "status": {"stable": stable, "history": history},
    }


class World:
    def __init__(self, store: Path) -> None:
        self.installation = replace(INSTALLATION, store=store.as_uri())
        self.records = Records(self.installation)

    async def keep(self, name: str, version: str, *hours: int, namespace: str = "ml") -> None:
        for hour in hours:
            await self.records.kept_hours.keep(KeepHour(namespace, name, version, hour, b"x"))

    async def left(self, *items: dict[str, Any], **limits: Any) -> dict[tuple[str, ...], list[int]]:
        """What is left after a look at these Deployments."""
        await OldHours(self.records.kept_hours, **{"namespaces": (), **limits}).sweep(
            lambda: items, NOW * 3600.0
        )
        left = await self.records.kept_hours.windows()
        return {key: sorted(hours) for key, hours in left.items()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.records.close()


async def test_hours_a_week_before_the_longest_window_are_needed(world: World):
    spec = {"baseline": "sameHourLastWeek", "maxWindow": "2d"}
    oldest = NOW - 2 * DAY - WEEK - DAY
    await world.keep("m", "m-v1", oldest - 1, oldest, NOW - 1)
    left = await world.left(deployment("m", spec, "m-v1"))
    assert left == {("ml", "m", "m-v1"): [oldest, NOW - 1]}


async def test_the_first_week_is_needed_for_ever(world: World):
    first = NOW - 50 * WEEK
    await world.keep("m", "m-v1", first, first + WEEK - 1, first + WEEK)
    left = await world.left(deployment("m", {"baseline": "firstWeek"}, "m-v1"))
    assert left == {("ml", "m", "m-v1"): [first, first + WEEK - 1]}


async def test_versions_that_a_rollback_does_not_go_back_to_are_not_needed(world: World):
    first = NOW - WEEK
    for version in ("m-v1", "m-v2", "m-v3"):
        await world.keep("m", version, first)
    left = await world.left(deployment("m", {"baseline": "firstWeek"}, "m-v3", "m-v2", "m-v1"))
    assert set(left) == {("ml", "m", "m-v2"), ("ml", "m", "m-v3")}


async def test_what_is_gone_needs_none_once_it_was_silent_for_a_day(world: World):
    await world.keep("gone", "m-v1", NOW - 100, NOW - DAY - 1)
    await world.keep("young", "m-v1", NOW - 100, NOW - DAY)
    assert await world.left() == {("ml", "young", "m-v1"): [NOW - 100, NOW - DAY]}


async def test_other_installations_and_namespaces_and_the_record_are_not_touched(
    world: World, tmp_path: Path
):
    other = Records(replace(world.installation, id="another"))
    await other.kept_hours.keep(KeepHour("ml", "gone", "m-v1", 1, b"x"))
    await world.keep("gone", "m-v1", 1)
    await world.keep("gone", "m-v1", 1, namespace="else")
    await world.records.decide("ml", "gone", "promoted", {})
    assert await world.left(namespaces=("ml",)) == {("else", "gone", "m-v1"): [1]}
    assert await other.kept_hours.windows() == {("ml", "gone", "m-v1"): [1]}
    assert list(tmp_path.glob("decisions/*/ml/gone/log/promoted.json"))
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"status": {}}, id="nothing is served yet"),
        pytest.param({"status": {"stable": 1}}, id="a status that cannot be read"),
    ],
)
async def test_who_is_not_understood_needs_all(world: World, change: dict[str, Any]):
    await world.keep("m", "m-v1", 1)
    item = deployment("m", {"baseline": "sameHourLastWeek"}, "m-v1") | change
    assert await world.left(item) == {("ml", "m", "m-v1"): [1]}
