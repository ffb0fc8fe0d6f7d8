"""Which seconds are measured next: without gaps, never twice, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.rollout_status import RolloutStatus
from pawl.core.conditions import timestamp
from pawl.core.measurement import LAG, LONGEST, POLL, users_since, window

T = 1_790_000_000


def at(second: float) -> str:
    return timestamp(datetime.fromtimestamp(second, UTC))


def state(**values: Any) -> RolloutStatus:
    given_values = {
        "phase": "Canary",
        "candidate": "churn-v8",
        "digest": "sha256:" + "8" * 64,
        "reference": 7,
        "started_at": at(T - 500),
    }
    return RolloutStatus.model_validate(given_values | values)


@pytest.mark.parametrize(
    ("values", "now", "expected"),
    [
        pytest.param({}, T, None, id="nothing has begun"),
        pytest.param({"step_started_at": at(T)}, T + 0.5, None, id="too early"),
        pytest.param({"step_started_at": at(T)}, T + 2.9, None, id="still too early"),
        pytest.param({"step_started_at": at(T)}, T + 3, (T, T + 2), id="from the first step on"),
        pytest.param(
            {"step_started_at": at(T + 9), "measured_to": T}, T + 10, (T, T + 9), id="then go on"
        ),
        pytest.param({"measured_to": T}, T + 2, None, id="too early for the next"),
        pytest.param({"measured_to": T}, T + 3.5, (T, T + 2), id="the next"),
        pytest.param({"measured_to": T}, T + 101, (T, T + 100), id="after a pause of the operator"),
        pytest.param(
            {"measured_to": T - 90_000},
            T + 1,
            (T - LONGEST, T),
            id="longer ago than servers remember",
        ),
        pytest.param({"measured_to": T}, T - 30, None, id="a clock that went back a little waits"),
        pytest.param(
            {"measured_to": T},
            T - 3600,
            (T - 3600 - LAG - POLL, T - 3600 - LAG),
            id="a clock that went back far begins anew",
        ),
    ],
)
def test_the_next_window(values: Any, now: float, expected: Any):
    assert window(state(**values), now) == expected


@given(st.lists(st.floats(0, 400), min_size=1, max_size=30))
def test_windows_follow_each_other_while_the_clock_does(pauses: list[float]):
    known, now = state(step_started_at=at(T)), float(T)
    windows = []
    for pause in pauses:
        now += pause
        if (found := window(known, now)) is not None:
            windows.append(found)
            known = known.model_copy(update={"measured_to": found[1]})
    assert all(end - begin >= POLL and end <= now for begin, end in windows)
    borders = [T, *(end for _, end in windows)]
    assert [begin for begin, _ in windows] == borders[:-1]


@given(st.integers(T - 10**6, T + 10**6), st.floats(T - 10**6, T + 10**6))
def test_a_window_is_never_longer_than_servers_remember_nor_in_the_future(to: int, now: float):
    found = window(state(measured_to=to), now)
    if found is not None:
        begin, end = found
        assert begin < end <= now
        assert end - begin <= LONGEST


@pytest.mark.parametrize(
    ("values", "since"),
    [
        pytest.param({"stage_started_at": at(T - 100)}, T - 100, id="the stage"),
        pytest.param({}, T - 500, id="a rollout that says nothing of its stage"),
        pytest.param(
            {"stage_started_at": at(T - 90_000)}, T - LONGEST, id="as far as servers remember"
        ),
        pytest.param({"stage_started_at": at(T + 50)}, T, id="a clock that went back"),
    ],
)
def test_users_are_counted_from_the_beginning(values: Any, since: int):
    assert users_since(state(**values), T) == since
