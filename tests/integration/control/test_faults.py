"""However the API server fails, the end is the same as without a fault."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from faults import REQUESTS, WATCHES, Proxy
from scenario import Scene, operator, scene

KINDS_OF_FAULTS = {*REQUESTS, *(f"watch {how}" for how in WATCHES), "401"}


async def played(
    folder: Path, seed: int | None
) -> tuple[dict[str, Any], Counter[str], Counter[Any]]:
    """What the story comes to, the faults that there were, and what was told."""
    async with scene(folder) as made:
        proxy = Proxy(json.loads((folder / "kubeconfig").read_text()), folder / "faulty", seed)
        async with proxy.running(), operator(folder, proxy.kubeconfig):
            await made.play()
        return made.outcome(), proxy.seen, told(made)


def told(made: Scene) -> Counter[Any]:
    return Counter(
        (event["involvedObject"]["name"], event["reason"])
        for event in made.all("events")
        if event.get("reportingComponent") == "pawl-operator"
    )


async def test_the_end_is_that_of_a_run_without_faults(tmp_path: Path):
    expected, none, events = await played(tmp_path / "sound", None)
    assert not none
    assert events
    faults: Counter[str] = Counter()
    for seed in (1, 2):
        outcome, seen, more = await played(tmp_path / str(seed), seed)
        assert outcome == expected
        assert more == events
        faults += seen
    assert set(faults) - {""} == KINDS_OF_FAULTS
