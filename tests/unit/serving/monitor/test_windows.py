"""What of a time that is asked for is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Made = Callable[..., Any]


def covered(pod: Any, epoch: int, *window: int | None) -> tuple[int, int, int]:
    """from, to (seconds after the epoch of the test) and requests."""
    told = pod.monitor(*window)
    return told["from"] - epoch, told["to"] - epoch, told["requests"]


def test_a_second_is_told_once_it_is_over(pod: Any, epoch: int) -> None:
    pod.answer()
    assert covered(pod, epoch, 0, 10) == (0, 0, 0)
    pod.wait(1)
    assert covered(pod, epoch, 0, 10) == (0, 1, 1)


def test_without_bounds_it_is_the_last_minute(pod: Any, epoch: int) -> None:
    for _ in range(100):
        pod.answer()
        pod.wait(1)
    assert covered(pod, epoch, None, None) == (40, 100, 60)


def test_nothing_is_told_of_before_the_pod(pod: Any, epoch: int) -> None:
    pod.wait(5)
    assert covered(pod, epoch, -1000, 5) == (0, 5, 0)


def test_a_window_that_is_not_closed_yet_is_empty(pod: Any, epoch: int) -> None:
    pod.wait(5)
    assert covered(pod, epoch, 7, 9) == (7, 7, 0)
    assert covered(pod, epoch, 4, 3) == (4, 4, 0)


def test_what_is_older_than_two_minutes_is_told_in_whole_minutes(pod: Any, epoch: int) -> None:
    for _ in range(600):
        pod.answer()
        pod.wait(1)
    assert covered(pod, epoch, 70, 600) == (120, 600, 480)
    assert covered(pod, epoch, 70, 250) == (120, 240, 120)
    assert covered(pod, epoch, 70, 595) == (120, 595, 475)
    assert covered(pod, epoch, 481, 500) == (481, 500, 19)
    assert covered(pod, epoch, 0, 600) == (0, 600, 600)


def test_what_is_older_than_two_hours_is_gone(pod: Any, epoch: int) -> None:
    for _ in range(3 * 60):
        pod.answer()
        pod.wait(60)
    assert covered(pod, epoch, 0, 3 * 3600) == (3600, 3 * 3600, 120)


@given(gaps=st.lists(st.floats(0, 20), max_size=80), every=st.integers(1, 5))
@settings(max_examples=50)
def test_who_goes_on_where_an_answer_ended_counts_everything_once(
    gaps: list[float], every: int, pod_of: Made, epoch: int
) -> None:
    pod = pod_of()
    sent = counted = at = 0
    for step, gap in enumerate(gaps):
        pod.answer()
        sent += 1
        pod.wait(gap)
        if step % every == 0:
            told = pod.monitor(at, None)
            at = told["to"] - epoch
            counted += told["requests"]
    pod.wait(1)
    assert counted + pod.monitor(at, None)["requests"] == sent


def test_processes_are_summed(pod_of: Made, epoch: int) -> None:
    pod = pod_of(2)
    pod.answer()
    pod.answer(process=1)
    pod.wait(1)
    assert covered(pod, epoch, 0, 1) == (0, 1, 2)


def test_a_process_that_has_not_closed_a_second_is_waited_for(pod_of: Made, epoch: int) -> None:
    pod = pod_of(2)
    pod.wait(1)
    pod.answer(process=1)
    pod.wait(2, 0)
    assert covered(pod, epoch, 0, 3) == (0, 1, 0)
    pod.recorders[1].roll()
    assert covered(pod, epoch, 0, 3) == (0, 3, 1)


def test_a_dead_or_stuck_process_is_not_waited_for_but_what_it_counted_stays(
    pod_of: Made, epoch: int
) -> None:
    pod = pod_of(2)
    pod.answer(process=1)
    pod.wait(1)
    pod.wait(4, 0)
    assert covered(pod, epoch, 0, 5) == (0, 1, 1)
    pod.counters[0].clear(1)
    assert covered(pod, epoch, 0, 5) == (0, 5, 1)


def test_a_process_that_closes_no_second_any_more_is_not_waited_for(
    pod_of: Made, epoch: int
) -> None:
    pod = pod_of(2)
    pod.wait(10, 0)
    assert covered(pod, epoch, 0, 10) == (0, 10, 0)


def test_a_process_that_replaces_another_goes_on_in_its_block(pod: Any, epoch: int) -> None:
    pod.answer()
    pod.wait(1)
    pod.recorders[0] = pod.recorder(0)
    pod.answer()
    pod.wait(1)
    assert covered(pod, epoch, 0, 2) == (0, 2, 2)


@pytest.mark.parametrize("shift", [-5, 5, 3600])
def test_a_wall_clock_that_is_set_is_followed(shift: int, pod: Any) -> None:
    pod.wait(30)
    pod.clock.set = float(shift)
    pod.wait(1)
    pod.answer()
    pod.wait(1)
    assert pod.monitor(shift + 31, shift + 32)["requests"] == 1
