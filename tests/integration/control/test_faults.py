"""However the API server fails, and whatever statuses are wiped, the end is the same."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from faults import REQUESTS, WATCHES, Proxy
from scenario import Scene, operator, scene

from pawl.control.kinds import CHILDREN, OURS

FAULTS = {*REQUESTS, "401"}
ENDS = {(resource.plural, how) for resource in (*OURS, *CHILDREN) for how in WATCHES}


class Ending(NamedTuple):
    """What the story comes to, the faults that there were, how watches ended, and what was told
    how often."""

    outcome: dict[str, Any]
    faults: Counter[str]
    ends: Counter[tuple[str, str]]
    told: Counter[Any]


async def ending(
    folder: Path,
    seed: int | None = None,
    disturb: Callable[[Scene, str], None] = lambda *_: None,
) -> Ending:
    async with scene(folder) as made:
        proxy = Proxy(json.loads((folder / "kubeconfig").read_text()), folder / "faulty", seed)
        async with proxy.running(), operator(folder, proxy.kubeconfig):
            await made.play(lambda moment: disturb(made, moment))
        return Ending(made.outcome(), proxy.seen, proxy.ends, told(made))


def told(made: Scene) -> Counter[Any]:
    return Counter(
        (event["involvedObject"]["name"], event["reason"])
        for event in made.all("events")
        if event.get("reportingComponent") == "pawl-operator"
    )


async def test_the_end_is_that_of_a_run_without_faults(tmp_path: Path):
    seeds = (None, 1, 2, 3)
    async with asyncio.TaskGroup() as group:
        ends = [group.create_task(ending(tmp_path / str(seed), seed)) for seed in seeds]
    sound, *faulty = (end.result() for end in ends)
    assert not sound.faults
    assert not sound.ends
    for end in faulty:
        assert end.outcome == sound.outcome
        assert end.told <= sound.told  # lost it may be, told twice never
        assert end.told.total() > 0.8 * sound.told.total()
    assert {fault for end in faulty for fault in end.faults} >= FAULTS
    assert {how for end in faulty for how in end.ends} == ENDS  # each of our watches, each way


async def test_the_end_is_the_same_when_every_status_is_wiped_on_the_way(tmp_path: Path):
    """When all is served, in the middle of two rollouts, and when they are over."""
    moments = []

    def wipe(made: Scene, moment: str) -> None:
        moments.append(moment)
        made.wipe()

    async with asyncio.TaskGroup() as group:
        sound = group.create_task(ending(tmp_path / "sound"))
        wiped = group.create_task(ending(tmp_path / "wiped", disturb=wipe))
    assert moments == ["serving", "canary", "over"]
    assert wiped.result().outcome == sound.result().outcome
