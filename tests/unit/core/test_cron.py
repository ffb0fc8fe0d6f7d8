"""Times of a schedule, also where clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.core.cron import following, newest, problem


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "wanted"),
    [
        pytest.param("0 3 * * 1", "UTC", "2026-11-21T12:00", "2026-11-23T03:00", id="mondays"),
        pytest.param(
            "0 3 * * *", "Europe/Berlin", "2026-11-21T12:00", "2026-11-22T02:00", id="a zone"
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00", id="in the gap"
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30", id="twice"
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30", id="but once"
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-26T01:30", id="from within"
        ),
        pytest.param(
            "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:31", "2026-10-25T01:00", id="elapsed"
        ),
        pytest.param("0 0 29 2 *", "UTC", "2026-01-01T00:00", "2028-02-29T00:00", id="leap day"),
    ],
)
def test_the_next_time(schedule: str, zone: str, after: str, wanted: str) -> None:
    assert following(schedule, zone, at(after)) == at(wanted)


@pytest.mark.parametrize(
    ("schedule", "zone", "said"),
    [
        ("0 3 * * 1", "Mars/Olympus", 'timeZone "Mars/Olympus" is not known'),
        ("0 3 * * 1", "../etc/passwd", "is not known"),
        ("61 3 * * 1", "UTC", 'schedule "61 3 * * 1": bad minute'),
        ("0 3 * * MAN", "UTC", "bad day-of-week"),
        ("0 0 31 2 *", "UTC", "bad day-of-month"),
    ],
)
def test_what_is_no_schedule_is_said(schedule: str, zone: str, said: str) -> None:
    assert said in str(problem(schedule, zone))


def test_a_schedule_is_no_problem() -> None:
    assert problem("0 3 * * 1", "Europe/Berlin") is None


SCHEDULES = st.sampled_from(
    ["* * * * *", "*/20 * * * *", "30 2 * * *", "0,30 1-3 * * *", "15 */6 * * *", "0 3 * * 1"]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
#: Around a day on which clocks are set.
MOMENTS = st.sampled_from(["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31"]).flatmap(
    lambda day: st.integers(0, 3 * 86_400).map(lambda s: at(day) + timedelta(seconds=s))
)


@settings(max_examples=150, deadline=None)
@given(SCHEDULES, ZONES, MOMENTS, st.integers(1, 26 * 3600))
def test_the_newest_time_is_the_last_of_those_that_follow_each_other(
    schedule: str, zone: str, after: datetime, seconds: int
) -> None:
    now = after + timedelta(seconds=seconds)
    last, time = None, following(schedule, zone, after)
    while time is not None and time <= now:
        assert last is None or time > last
        last, time = time, following(schedule, zone, time)
    assert newest(schedule, zone, after, now) == last


@settings(max_examples=100, deadline=None)
@given(ZONES, st.integers(0, 364))
def test_a_daily_schedule_comes_once_on_each_day(zone: str, day: int) -> None:
    begin = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)) + timedelta(days=day)
    end = (begin + timedelta(days=1)).astimezone(UTC)
    time = following("30 2 * * *", zone, begin.astimezone(UTC) - timedelta(seconds=1))
    assert time is not None
    assert time < end
    after = following("30 2 * * *", zone, time)
    assert after is not None
    assert after >= end


def test_a_long_time_without_a_look_costs_little() -> None:
    now = at("2026-11-21T12:00:30")
    assert newest("* * * * *", "UTC", at("1990-01-01T00:00"), now) == at("2026-11-21T12:00")
    assert newest("0 0 1 1 *", "UTC", at("1990-01-01T00:00"), now) == at("2026-01-01T00:00")
    assert newest("0 0 29 2 *", "UTC", at("1990-01-01T00:00"), now) == at("2024-02-29T00:00")
