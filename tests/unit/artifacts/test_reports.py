"""Reports in a log: our own lines, and as many as are good for something."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.reports import MOST_REPORTS, parse_progress, parse_reports


def line(step: object, value: object) -> str:
    return json.dumps({"pawl": "report", "step": step, "value": value})


@pytest.mark.parametrize(
    ("log", "reports"),
    [
        pytest.param(line(1, 0.5) + "\nfitted\n" + line(2, 0.6), ((1, 0.5), (2, 0.6)), id="two"),
        pytest.param(line(2, 0.5) + "\n" + line(1, 0.6), ((2, 0.5),), id="a step back"),
        pytest.param(line(1, 0.5) + "\n" + line(1, 0.6), ((1, 0.5),), id="a step again"),
        pytest.param(line(1.5, 0.5), (), id="half a step"),
        pytest.param(line(-1, 0.5), (), id="before the first"),
        pytest.param(line(1, "high"), (), id="a word"),
        pytest.param(line(1, float("nan")), (), id="no number"),
        pytest.param('{"pawl": "other", "step": 1, "value": 1}', (), id="something else"),
        pytest.param('{"pawl": "report", "step": 1, "val', (), id="half a line"),
    ],
)
def test_what_counts(log: str, reports: tuple[tuple[int, float], ...]):
    assert parse_reports(log) == reports


def test_there_is_a_most():
    log = "\n".join(line(step, 0.5) for step in range(MOST_REPORTS + 5))
    assert len(parse_reports(log)) == MOST_REPORTS


ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.none())
)


@given(st.lists(st.tuples(ANY, ANY)))
def test_steps_grow_and_values_are_numbers_whatever_is_printed(
    printed: list[tuple[object, object]],
):
    reports = parse_reports("\n".join(line(*of) for of in printed))
    steps = [step for step, _ in reports]
    assert all(math.isfinite(value) for _, value in reports)
    assert steps == sorted(set(steps))
    assert all(0 <= step < 2**31 for step in steps)


def progress(percent: object) -> str:
    return json.dumps({"pawl": "progress", "percent": percent})


@pytest.mark.parametrize(
    ("log", "percent"),
    [
        pytest.param("", None, id="nothing yet"),
        pytest.param(f"{progress(10)}\nepoch 2\n{progress(20.5)}\n", 20.5, id="the last counts"),
        pytest.param(f"{progress(10)}\n{progress(101)}", 10, id="more than all"),
        pytest.param(progress("half"), None, id="a word"),
        pytest.param(line(1, 0.5), None, id="a report"),
        pytest.param(progress(40)[:-4], None, id="half a line"),
    ],
)
def test_how_far_it_is(log: str, percent: float | None):
    assert parse_progress(log) == percent
