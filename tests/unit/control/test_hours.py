"""Whole hours, counted once, held until they are kept."""

from __future__ import annotations

import numpy as np

from pawl.control.hours import Hours
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import Window, counted, load

LAYOUT = Layout.of([Feature("plan", "category", [5.0, 5.0, 0.0, 0.0])])
FIRST = 500_000
START = FIRST * 3600


def minutes(n: int, rows: int = 1) -> Window:
    return counted(LAYOUT, np.array([[rows, 0, 0, 0]] * n, dtype=np.uint32))


def add(hours: Hours, begin: int, end: int, rows: int) -> None:
    """By a clock that stands at the end, seconds after START."""
    hours.add(START + begin, START + end, minutes(1, rows), LAYOUT, START + end)


def kept(hours: Hours) -> dict[int, tuple[float, int]]:
    """Hour -> rows and blocks."""
    found = {hour - FIRST: load(LAYOUT, data) for hour, data in hours.closed.items()}
    return {hour: (window.rows, window.blocks) for hour, window in found.items()}


def test_an_hour_is_closed_when_it_is_over():
    hours = Hours()
    hours.add(START, START + 1800, minutes(30), LAYOUT, START + 1800)
    assert kept(hours) == {}
    hours.add(START + 1800, START + 3600, minutes(30, 2), LAYOUT, START + 3600)
    assert kept(hours) == {0: (90, 60)}
    assert hours.running is None


def test_an_hour_whose_end_nobody_told_is_closed_by_the_next():
    hours = Hours()
    hours.add(START, START + 600, minutes(10), LAYOUT, START + 600)
    hours.add(START + 7200, START + 7260, minutes(1), LAYOUT, START + 7260)
    assert kept(hours) == {0: (10, 10)}
    assert hours.number == FIRST + 2


def test_an_hour_without_rows_is_none():
    hours = Hours()
    hours.add(START, START + 3600, minutes(60, 0), LAYOUT, START + 3600)
    assert kept(hours) == {}


def test_what_a_window_counts_again_is_not_counted_twice():
    hours = Hours()
    hours.add(START, START + 1800, minutes(30), LAYOUT, START + 1800)
    hours.add(START + 600, START + 1800, minutes(20), LAYOUT, START + 1800)
    hours.add(START + 1800, START + 3600, minutes(30), LAYOUT, START + 3600)
    assert kept(hours) == {0: (60, 60)}


def test_a_clock_that_was_set_back_begins_the_hour_anew():
    hours = Hours()
    add(hours, 3600, 7200, 30)
    add(hours, 7200, 9000, 50)
    add(hours, 7800, 8400, 7)
    add(hours, 8400, 10_800, 9)
    assert kept(hours) == {1: (30, 1), 2: (16, 2)}


def test_an_hour_that_was_closed_is_not_counted_again_by_a_clock_that_was_set_back():
    hours = Hours()
    add(hours, 3600, 7200, 30)
    add(hours, 7200, 9000, 50)
    add(hours, 5400, 7200, 7)
    add(hours, 7200, 10_800, 9)
    assert kept(hours) == {1: (30, 1), 2: (9, 1)}


def test_seconds_that_a_clock_was_set_back_are_waited_for():
    hours = Hours()
    add(hours, 0, 1800, 30)
    add(hours, 1740, 1800, 7)
    add(hours, 1800, 3600, 9)
    assert kept(hours) == {0: (39, 2)}


def test_no_more_than_two_days_are_held():
    hours = Hours()
    for hour in range(60):
        begin = START + hour * 3600
        hours.add(begin, begin + 3600, minutes(60), LAYOUT, begin + 3600)
    assert sorted(kept(hours)) == list(range(12, 60))
