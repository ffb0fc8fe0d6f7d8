"""What truth tells, added up block by block: nothing twice, and nothing that a pod did not know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from pawl.control.features import Steps
from pawl.control.labels import Labels
from pawl.control.snapshot import Feedback
from pawl.core.watch import Tally, kept

START = 1_800_000_000
DIGEST = "sha256:" + "0" * 64
PODS = [
    {"metadata": {"labels": {"pawl.dev/version": "1"}}},
    {"metadata": {"labels": {"pawl.dev/version": "2"}}},
    {"metadata": {"labels": {"pawl.dev/role": "router"}}},
]


@dataclass
class Truth:
    """Every second one answer's truth is told, of which every tenth is wrong."""

    behind: int = 0
    silent: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)

    async def feedback(
        self, pods: Mapping[int, Any], version: int, begin: int, end: int, step: int
    ) -> tuple[list[Feedback], int]:
        self.asked.append((begin - START, end - START))
        self.versions |= pods.keys()
        if self.silent:
            return [], begin
        end -= self.behind // step * step
        return [Feedback(labelled=end - begin, wrong=(end - begin) // 10)], end

    async def steps(
        self, version: int, pods: Any, begin: int, end: int, step: int, *, fine: bool
    ) -> list[Steps]:
        cells = np.zeros(((end - begin) // step, 1), dtype=np.uint32)
        return [Steps("abc", begin, step, cells, groups={"a": (end - begin, 1)})]


def deployment(*, status: bool = True, **drift: Any) -> Any:
    stable = {"name": "m-v1", "version": 1, "uri": "file:///x", "digest": DIGEST}
    times = {"windowStart": "2027-01-15T08:00:00Z", "windowEnd": "2027-01-22T08:00:00Z"}
    watched = {"version": "m-v1", **times, "labels": times}
    return {
        "kind": "Deployment",
        "metadata": {"name": "m", "namespace": "ml", "uid": "u1"},
        "spec": {"drift": drift or {"performance": {"metric": "accuracy", "min": 0.5}}},
        "status": {"stable": stable} | ({"drift": watched} if status else {}),
    }


def look(labels: Labels, after: int, item: Any = None, saved: Any = None) -> Tally | None:
    now = datetime.fromtimestamp(START + after, UTC)
    return asyncio.run(labels.observed(item or deployment(), PODS, saved, now))


def labels(**truth: Any) -> tuple[Labels, Truth]:
    told = Truth(**truth)
    return Labels(cast(Any, told)), told


def test_blocks_follow_each_other_and_every_version_is_asked() -> None:
    found, told = labels()
    for after in (63, 90, 125, 185):
        seen = look(found, after)
    assert seen is not None
    assert (seen.to - START, seen.labelled, seen.wrong) == (180, 180, 18)
    assert told.asked == [(0, 60), (60, 120), (120, 180)]
    assert told.versions == {1, 2}


def test_what_a_pod_does_not_know_yet_is_counted_later() -> None:
    found, told = labels(behind=60)
    seen = look(found, 125)
    assert seen is not None
    assert seen.to - START == 60
    told.behind = 0
    assert look(found, 126) == seen  # it was asked just now
    seen = look(found, 140)
    assert seen is not None
    assert (seen.to - START, seen.labelled) == (120, 120)


def test_silence_is_no_truth() -> None:
    found, told = labels(silent=True)
    seen = look(found, 3600)
    assert seen is not None
    assert (seen.to, seen.labelled) == (START, 0)
    told.silent = False
    seen = look(found, 3700)
    assert seen is not None
    assert seen.labelled == seen.to - START == 3660


def test_what_no_pod_remembers_is_given_up() -> None:
    found, told = labels()
    seen = look(found, 86_400)
    assert seen is not None
    assert told.asked == [(86_340 - 118 * 60, 86_340)]
    assert seen.to - START == 86_340


def test_an_operator_that_starts_anew_goes_on_from_what_was_kept() -> None:
    found, _ = labels()
    seen = look(found, 63)
    assert seen is not None
    saved = kept.build(deployment(), kept.Kept("m-v1", START, START, b"", seen.dump()))
    for item in (deployment(), deployment(status=False)):
        fresh, told = labels()
        again = look(fresh, 123, item, saved)
        assert again is not None
        assert again.labelled == 120
        assert told.asked == [(60, 120)]


def test_groups_are_counted_where_somebody_asks() -> None:
    item = deployment(
        fairness={"metric": "demographic_parity_difference", "attribute": "a", "max": 0.1}
    )
    found, _ = labels()
    seen = look(found, 125, item)
    assert seen is not None
    assert seen.groups == {"a": (120, 1)}


def test_nothing_is_asked_in_vain() -> None:
    found, told = labels()
    for item in (
        deployment(features=None),
        deployment() | {"status": {}},
        deployment() | {"spec": {}},
    ):
        assert look(found, 125, item) is None
    assert told.asked == []


def test_what_is_gone_is_forgotten() -> None:
    found, _ = labels()
    look(found, 125)
    found.forget(frozenset())
    assert (found._held, found._asked) == ({}, {})
