from itertools import pairwise

from pawl.local.node.backoff import Backoff, spoken


def crash_loop(backoff: Backoff, runtime: float, count: int) -> list[float]:
    """The delays before each restart of a container that always runs for `runtime` seconds."""
    now, delays = 0.0, []
    for _ in range(count):
        now += runtime
        delays.append(backoff.delay(now))
        now += delays[-1]
        backoff.count(now)
    return delays


def test_first_restart_is_immediate_then_10_s_doubling_to_5_min() -> None:
    assert crash_loop(Backoff(), 1, 9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_minutes_without_a_failure_start_over() -> None:
    assert crash_loop(Backoff(), 601, 4) == [0, 0, 0, 0]


def test_delays_never_shrink_while_it_crashes_fast() -> None:
    delays = crash_loop(Backoff(), 5, 20)
    assert all(a <= b for a, b in pairwise(delays))


def test_durations_are_spoken_as_go_prints_them() -> None:
    assert [spoken(s) for s in (10, 80, 300)] == ["10s", "1m20s", "5m0s"]
