"""What a decided window leaves to the next one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from watch_world import LAYOUT, SHIFTED, START, observed, served, traffic

from pawl.api.drift import DriftSpec
from pawl.core.watch import Carry, Watch, kept, watch
from pawl.stats.drift.window import load

BEGUN = datetime.fromtimestamp(START, UTC)
HALF = timedelta(minutes=30)


def few(age: list[int] | None = None) -> np.ndarray:  # type: ignore[type-arg]
    """300 rows in half an hour: enough for the two bins of `plan`, not for ten."""
    return traffic(age, minutes=30) // np.uint32(10)


def fold(windows: list[Any], **fields: Any) -> list[Watch]:
    """One window after the other, each with what the one before left."""
    rules = {"window": "30m", "minSamples": 100, "quality": {"maxMissing": 0.1}} | fields
    spec = DriftSpec.model_validate(rules)
    found = [watch(spec, None, served(1), None, BEGUN)]
    for number, cells in enumerate(windows, 1):
        seen = observed(cells, found[-1].status)
        if (carried := found[-1].carried) is not None:
            seen = replace(seen, window=carried.merged(seen.window), carried=found[-1].carry)
        found.append(watch(spec, found[-1].status, served(1), seen, BEGUN + number * HALF))
    return found[1:]


def test_a_feature_that_needs_more_rows_is_judged_by_those_of_two_windows() -> None:
    first, second, third = fold([few(), few(), few()])
    assert first.decided is not None
    assert (first.decided.judged, first.decided.samples) == (2, 300)
    assert "the mix of 2 needs more rows" in first.decided.message
    assert first.carry == Carry(START, 300)
    assert second.decided is not None
    assert (second.decided.judged, second.decided.samples) == (3, 300)
    assert second.carry is None
    assert third.decided is not None
    assert third.carry == Carry(START + 3600, 300)


def test_what_was_judged_is_not_judged_again() -> None:
    (first,) = fold([few()])
    assert first.carried is not None
    assert first.carried.whole[1].tolist() == [300.0, 0.0, 300.0]


def test_drift_is_seen_in_what_was_carried() -> None:
    age = [10 * x for x in SHIFTED]
    shifted = few(age)
    _, second = fold([shifted, shifted])
    assert second.decided is not None
    assert second.decided.drifted == ("age",)


def test_what_is_too_old_is_left() -> None:
    thin = few()
    thin[::2] = 0  # 150 rows
    first, second, third = fold([thin, thin, thin], maxWindow="1h")
    assert first.carry == Carry(START, 150)
    assert second.carry is None
    assert third.carry == Carry(START + 3600, 150)


def test_hours_are_compared_with_the_same_hours_only() -> None:
    (found,) = fold([np.vstack([few(), few()])], window="1h", baseline="sameHourLastWeek")
    assert found.decided is not None
    assert found.carry is None


def test_what_was_carried_is_kept() -> None:
    (first,) = fold([few()])
    assert first.carried is not None
    data = first.carried.dump(LAYOUT)
    owner = {
        "apiVersion": "v1",
        "kind": "x",
        "metadata": {"name": "a", "namespace": "b", "uid": "c"},
    }
    held = kept.Kept("m-v1", START + 1800, START + 1800, data, carried=first.carry)
    back = kept.read(kept.build(owner, held))
    assert back == held
    assert load(LAYOUT, held.data).whole.tolist() == first.carried.whole.tolist()


@pytest.mark.parametrize("about", ["[1]", '["x", 2]', "7"])
def test_what_cannot_be_read_was_not_kept(about: str) -> None:
    item = {
        "metadata": {
            "annotations": {
                "pawl.dev/window": f'{{"version":"m","start":1,"to":2,"carried":{about}}}'
            }
        },
        "binaryData": {"window": ""},
    }
    assert kept.read(item) is None
