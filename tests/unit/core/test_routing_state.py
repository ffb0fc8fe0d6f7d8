"""Counters of routers, and how two readings are compared."""

from __future__ import annotations

from pawl.core.routing.state import RouterState, Totals, increase


def state(totals: dict[int, Totals], started: str = "pod/0", uptime: int = 10) -> RouterState:
    return RouterState("c", "r", totals=totals, started=started, uptime=uptime)


def test_the_increase_is_the_difference():
    before = state({7: Totals(100, 2), 8: Totals(10, 0)})
    after = state({7: Totals(150, 3), 8: Totals(11, 1)}, uptime=15)
    assert increase(before, after) == {7: Totals(50, 1), 8: Totals(1, 1)}


def test_a_container_that_began_anew_counts_from_zero():
    before = state({7: Totals(100, 2)})
    assert increase(before, state({7: Totals(140, 2)}, started="pod/1")) == {7: Totals(140, 2)}


def test_a_restart_that_the_pod_does_not_tell_of_yet_shows_in_the_uptime():
    before = state({7: Totals(100, 2)}, uptime=300)
    assert increase(before, state({7: Totals(140, 2)}, uptime=4)) == {7: Totals(140, 2)}


def test_a_version_that_was_forgotten_and_met_again_counts_from_zero():
    before = state({8: Totals(100, 90)})
    assert increase(before, state({8: Totals(5, 0)}, uptime=15)) == {8: Totals(5, 0)}
    assert increase(state({}), state({8: Totals(5, 0)}, uptime=15)) == {8: Totals(5, 0)}


def test_a_count_that_was_read_a_moment_too_early_is_no_new_beginning():
    before = state({7: Totals(100, 9, abandoned=5)})
    after = state({7: Totals(100, 8, abandoned=4)}, uptime=15)
    assert increase(before, after) == {7: Totals(0, 0, 0)}


def test_a_router_that_was_not_known_gives_no_interval():
    assert increase(None, state({7: Totals(100, 2)})) == {}
