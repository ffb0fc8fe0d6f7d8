"""Gates on a number of Prometheus: several times in a row, of samples that are not the same."""

from __future__ import annotations

from typing import Any

import pytest
from trial import Trial, start

QUERY = "slow"


def trial(**bounds: float) -> Trial:
    return start("canary", {"prometheus": {"query": QUERY, **bounds}})


def verdicts(world: Trial, *values: float | None, apart: int = 20) -> list[str]:
    found = []
    for value in values:
        world.go(queries={QUERY: value})
        world.now += apart
        found.append(world.gate("prometheus").verdict)
    return found


@pytest.mark.parametrize(
    ("bounds", "value", "verdict"),
    [
        pytest.param({"max": 1}, 1.0, "Pass", id="at the highest"),
        pytest.param({"max": 1}, 1.1, "Fail", id="above the highest"),
        pytest.param({"min": 1}, 1.0, "Pass", id="at the lowest"),
        pytest.param({"min": 1}, 0.9, "Fail", id="below the lowest"),
        pytest.param({"min": 1, "max": 2}, 1.5, "Pass", id="between"),
        pytest.param({"min": 1, "max": 2}, -1.5, "Fail", id="outside"),
    ],
)
def test_three_in_a_row_decide(bounds: Any, value: float, verdict: str):
    world = trial(**bounds)
    assert verdicts(world, value, value, value) == ["Inconclusive", "Inconclusive", verdict]
    assert "no stated error rate" in world.gate("prometheus").message


def test_a_row_is_broken_by_the_other_side():
    assert set(verdicts(trial(max=1), 2, 2, 0, 2, 2, 0, 0)) == {"Inconclusive"}


def test_one_that_went_bad_after_it_passed_has_failed():
    assert verdicts(trial(max=1), 0, 0, 0, 2, 2, 2)[2:] == ["Pass", "Pass", "Pass", "Fail"]


def test_a_number_that_is_asked_for_sooner_than_it_is_sampled_counts_once():
    world = trial(max=1)
    assert set(verdicts(world, *[2] * 14, apart=0)) == {"Inconclusive"}
    assert "Fail" in verdicts(world, *[2] * 10, apart=0)


def test_a_clock_that_goes_back_does_not_stop_it():
    world = trial(max=1)
    verdicts(world, 2, 2)
    world.now -= 3600
    assert verdicts(world, 2) == ["Fail"]


@pytest.mark.parametrize("values", [(None,), (2, 2, None)])
def test_no_value_is_said_and_decides_nothing(values: Any):
    world = trial(max=1)
    assert verdicts(world, *values)[-1] == "Inconclusive"
    assert world.gate("prometheus").message == "Prometheus has no value for the query"
