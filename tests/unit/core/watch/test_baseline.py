"""What windows are compared with: training data, the first week, the same hours a week before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watch_world import LAYOUT, SHIFTED, START, observed, served, traffic

from pawl.api.drift import DriftBaseline, DriftSpec
from pawl.api.drift_status import DriftWindow
from pawl.core.watch import watch
from pawl.core.watch.baseline import HOUR, WEEK, NoBaseline, first_week, last_week, wanted
from pawl.stats.drift.window import Window, counted

FIRST = START // HOUR
LEARNING = NoBaseline("LearningBaseline", "the first week is over at noon")
NOW = datetime.fromtimestamp(START, UTC)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param(0, 3600, [0], id="a whole hour"),
        pytest.param(600, 4200, [0, 1], id="an hour that touches two"),
        pytest.param(600, 1200, [0], id="minutes"),
        pytest.param(0, 10 * 3600, list(range(10)), id="many hours"),
    ],
)
def test_the_same_hours_are_those_one_week_earlier(start: int, end: int, hours: list[int]):
    found = last_week(START + start, START + end)
    assert [hour - FIRST + WEEK for hour in found] == hours


@given(start=st.integers(START, START + 10**6), length=st.integers(1, 40 * 86_400))
def test_a_window_is_never_compared_with_itself(start: int, length: int):
    found = last_week(start, start + length)
    assert 0 < len(found) <= WEEK + 1
    assert found.stop * HOUR <= start
    assert found.start * HOUR <= start - WEEK * HOUR < (found.start + 1) * HOUR


@pytest.mark.parametrize(
    ("baseline", "hour", "kept"),
    [
        pytest.param("training", FIRST, False, id="training: none"),
        pytest.param("firstWeek", FIRST + 167, True, id="the last of the first week"),
        pytest.param("firstWeek", FIRST + 168, False, id="after the first week"),
        pytest.param("sameHourLastWeek", FIRST + 9000, True, id="the same hour: all"),
    ],
)
def test_only_hours_that_are_needed_are_kept(baseline: DriftBaseline, hour: int, kept: bool):
    assert wanted(baseline, hour, FIRST) is kept


def test_the_very_first_hour_is_kept():
    assert wanted("firstWeek", FIRST, None)
    assert list(first_week(FIRST)) == list(range(FIRST, FIRST + 168))


@pytest.mark.parametrize(
    ("baseline", "window", "start"),
    [
        pytest.param("sameHourLastWeek", "2h", "2027-01-15T09:00:00Z", id="whole hours"),
        pytest.param("sameHourLastWeek", "90m", "2027-01-15T08:08:00Z", id="half an hour"),
        pytest.param("firstWeek", "1h", "2027-01-15T08:08:00Z", id="not by the hour"),
    ],
)
def test_windows_are_of_the_same_time_of_the_day_as_their_baseline(
    baseline: str, window: str, start: str
):
    spec = DriftSpec.model_validate({"baseline": baseline, "window": window})
    status = watch(spec, None, served(1), None, NOW + timedelta(seconds=427)).status
    assert status.window_start == start


def decided(cells: Any, *, hours: int = 1, reference: Window | None = None, **more: Any) -> Any:
    """What is decided of a window of so many hours."""
    rules = {"baseline": "firstWeek", "quality": {"maxMissing": 0.1}, "maxWindow": "1d"}
    spec = DriftSpec.model_validate(rules | {"window": f"{hours}h"})
    stable = served(1)
    status = watch(spec, None, stable, None, NOW).status
    seen = observed(cells, status, seconds=hours * HOUR, reference=reference, **more)
    return watch(spec, status, stable, seen, NOW + timedelta(hours=hours))


def verdict(window: DriftWindow) -> tuple[str, str]:
    return window.verdict, window.reason


def test_live_hours_take_the_place_of_the_training_data():
    usual = counted(LAYOUT, traffic(SHIFTED))
    found = decided(traffic(SHIFTED), reference=usual).decided
    assert verdict(found) == ("Pass", "")
    found = decided(traffic(), reference=usual).decided
    assert verdict(found) == ("Fail", "")
    assert found.drifted == ("age",)


def test_few_rows_of_the_baseline_say_nothing_and_the_window_grows():
    few = counted(LAYOUT, traffic(minutes=4))
    found = decided(traffic(SHIFTED), reference=few)
    assert found.decided is None
    assert found.status.window_end == "2027-01-15T10:00:00Z"


def test_without_a_baseline_a_window_is_inconclusive_and_the_next_one_begins():
    found = decided(traffic(SHIFTED), no_baseline=LEARNING)
    assert verdict(found.decided) == ("Inconclusive", "LearningBaseline")
    assert found.decided.message.endswith("the first week is over at noon")
    assert found.status.window_start == found.decided.end


def test_without_a_baseline_unusable_values_are_still_judged():
    found = decided(traffic(SHIFTED, missing=30), no_baseline=LEARNING).decided
    assert verdict(found) == ("Fail", "")
    assert found.concerns == ("quality",)
    assert found.drifted == ("age",)
