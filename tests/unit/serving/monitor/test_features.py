"""Rows on their way from answers into steps of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.artifacts.records import Signature
from pawl.serving.codec.base import Predictions, Rows, join
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.cells import layout_of
from pawl.serving.monitor.features import CAPACITY, Features
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.steps import STEP, Steps

Made = Callable[..., Any]
NAN = float("nan")


def test_rows_are_counted_by_cell_with_their_predictions(watched: Any) -> None:
    watched.score([0.5], [1.0], [NAN], scores=[0.1, 0.2, NAN])
    watched.score([9.0], scores=[0.9])
    watched.step()
    page = watched.features()
    assert page["rows"] == [4]
    assert page["cells"] == [[2, 0, 1, 1, 2, 2, 1, 1, 2]]


def test_an_endless_prediction_is_missing(watched: Any) -> None:
    watched.score([2.0], scores=[float("inf")])
    watched.step()
    assert watched.features()["cells"][0][5:] == [0, 0, 1, 0]


def test_steps_are_counted_apart(watched: Any) -> None:
    watched.score([0.0], scores=[0.1])
    watched.wait(9)
    watched.score([1.5], scores=[0.1])
    watched.wait(1)
    watched.score([5.0], scores=[0.1])
    watched.step()
    page = watched.features(0, 20)
    assert page["rows"] == [2, 1]
    assert [cells[:3] for cells in page["cells"]] == [[1, 1, 0], [0, 0, 1]]


def test_processes_are_summed(watched_of: Made) -> None:
    pod = watched_of(2)
    pod.score([0.0], scores=[0.1], process=0)
    pod.score([0.0], [5.0], scores=[0.1, 0.9], process=1)
    pod.step()
    page = pod.features(fine=True)
    assert (page["rows"], page["cells"][0][:3]) == ([3], [2, 0, 1])
    assert (page["fine"][:3], page["sums"][:3]) == ([2, 0, 1], [0.0, 0.0, 5.0])


def test_a_process_that_replaces_another_goes_on_in_its_block(watched: Any) -> None:
    watched.score([0.0], scores=[0.1])
    watched.wait(1)
    watched.recorders[0] = watched.recorder(0)
    watched.score([0.0], scores=[0.1])
    watched.wait(1)
    watched.wait(8)
    assert watched.features()["cells"][0][0] == 2


def test_what_came_to_a_process_that_was_held_up_is_in_no_step_that_was_told(
    watched_of: Made,
) -> None:
    pod = watched_of(2)
    pod.score([0.0], scores=[0.1], process=1)
    pod.wait(20, 0)
    told = pod.features(0, 10)
    assert told["rows"] == [0]
    pod.wait(0)
    assert pod.features(0, 10) == told
    pod.step()
    assert pod.features(20, 30)["rows"] == [1]


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 3 * CAPACITY), max_size=5))
def test_batches_of_any_size_are_counted_once(sizes: list[int], watched_of: Made) -> None:
    pod = watched_of()
    for size in sizes:
        pod.score(*[[1.5]] * size, scores=[0.9] * size)
    pod.step()
    page = pod.features()
    assert page["rows"] == [sum(sizes)]
    assert page["cells"][0] == [0, sum(sizes), 0, 0, 0, 0, sum(sizes), 0, sum(sizes)]


def test_predictions_are_counted_by_group(watched: Any) -> None:
    watched.score([1.0], [1.0], scores=[0.9, 0.1], group="a")
    watched.score([1.0], scores=[0.7], group="a")
    watched.score([1.0], scores=[0.2], group="b")
    watched.score([1.0], scores=[0.7])
    watched.step()
    assert watched.features()["groups"] == {"a": [3, 2], "b": [1, 0]}
    assert watched.features()["otherGroups"] == [0, 0]


def test_groups_are_counted_by_the_second_too(watched: Any) -> None:
    watched.score([1.0], scores=[0.9], group="a")
    watched.wait(3)
    watched.score([1.0], scores=[0.1], group="a")
    watched.wait(1)
    assert watched.features(0, 3, step=1)["groups"] == {"a": [1, 1]}
    assert watched.features(3, 4, step=1)["groups"] == {"a": [1, 0]}


def test_there_are_sixteen_groups_at_most(watched_of: Made) -> None:
    pod = watched_of(2)
    for number in range(40):
        pod.score([1.0], scores=[0.9], group=f"g{number}", process=number % 2)
    pod.step()
    page = pod.features()
    assert len(page["groups"]) == m.GROUPS
    assert page["otherGroups"] == [40 - m.GROUPS, 40 - m.GROUPS]


def test_without_groups_nothing_is_told_of_them(watched: Any) -> None:
    watched.score([1.0], scores=[0.9])
    watched.step()
    assert "groups" not in watched.features()


def test_a_ring_that_comes_round_begins_anew(watched: Any) -> None:
    watched.score([1.0], scores=[0.9], group="a")
    watched.wait(1)
    watched.wait(STEP * m.RING - 1)
    watched.score([1.0], scores=[0.9])
    watched.step()
    page = watched.features(STEP * m.RING, STEP * m.RING + STEP)
    assert page["rows"] == [1]
    assert "groups" not in page


def test_requests_are_answered_though_the_counting_fails(
    watched: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(watched.recorders[0]._features._table, "count", broken)
        for _ in range(CAPACITY + 1):
            watched.score([1.0], scores=[0.9])
    assert "could not count features" in caplog.text
    watched.score([1.0], scores=[0.9])
    watched.step()
    assert watched.features()["rows"] == [1]


class Asked:
    """A job, and its request."""

    group = None

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.request = self


def test_classes_and_categories_of_many_requests_are_counted(
    baseline_of: Made, signature_of: Made
) -> None:
    baseline = baseline_of({}, {"plan": ["pro"]}, prediction=["a", "b", "c"])
    signature: Signature = signature_of("a", "b", "c").model_copy(
        update={"numeric": (), "categorical": ("town", "plan")}
    )
    layout = layout_of(signature, baseline, "category")
    steps = Steps(Memory(), layout.width, layout.fine)
    features = Features(layout, steps)
    plans = ["pro", "basic", ""]
    jobs = [
        Asked(Rows({"categorical": np.array([["x", plan]], dtype=object)}, 1)) for plan in plans
    ]
    feed = join([job.rows.feed for job in jobs])
    features.answered(jobs, feed, Predictions([0.0] * 9, ["a", "c", None], 3), 3, 60)
    features.flush(60)
    rows, cells = steps.cells(60, 70, 10)
    assert rows.tolist() == [3]
    assert cells.tolist() == [[1, 1, 1, 1, 0, 1, 0, 1]]
    assert steps.groups(60, 70) == ({}, [0, 0])
