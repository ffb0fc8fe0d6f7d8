"""What the port tells of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from pawl.errors import UserError
from pawl.serving.errors import NotReadyError
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.http import Query, query_of
from pawl.serving.monitor.pages import FeaturePages
from pawl.serving.monitor.snapshot import About
from pawl.serving.monitor.steps import STEP, Steps

Made = Callable[..., Any]


def covered(pod: Any, epoch: int, *window: int | None) -> tuple[int, int]:
    page = pod.features(*window)
    assert len(page["rows"]) == (page["to"] - page["from"]) // STEP
    return page["from"] - epoch, page["to"] - epoch


def test_the_layout_names_what_the_counts_are_of(watched: Any) -> None:
    layout = orjson.loads(orjson.dumps(watched.pages.layout()))
    watched.step()
    page = watched.features()
    assert layout["layout"] == page["layout"]
    assert (layout["format"], layout["model"], layout["version"]) == (1, "churn", 7)
    assert layout["digest"] == page["digest"] == "sha256:0"
    assert sum(feature["cells"] for feature in layout["features"]) == len(page["cells"][0])
    assert [feature["name"] for feature in layout["features"]] == ["a", "prediction"]
    assert layout["features"][0]["reference"] == [1, 1, 1, 0, 0]
    assert layout["uncounted"] == []


def test_only_whole_steps_are_told(watched: Any, epoch: int) -> None:
    watched.wait(95)
    assert covered(watched, epoch, 0, 95) == (0, 90)
    assert covered(watched, epoch, 1, 19) == (10, 10)
    assert covered(watched, epoch, 5, 10) == (10, 10)
    assert covered(watched, epoch, 10, 2) == (10, 10)


def test_without_a_query_the_last_minute_is_told(watched: Any, epoch: int) -> None:
    watched.wait(95)
    page = watched.pages.counts(None, None, step=10, fine=False)
    assert (page["from"] - epoch, page["to"] - epoch) == (30, 90)


def test_the_first_step_begins_before_the_pod(watched: Any, epoch: int) -> None:
    watched.pages._about = About("churn", "7", "sha256:0", epoch + 3.5)
    watched.wait(25)
    assert covered(watched, epoch, -300, 25) == (0, 20)
    assert covered(watched, epoch, 3, 25) == (0, 20)
    assert covered(watched, epoch, 4, 25) == (10, 20)


def test_twenty_minutes_are_kept(watched: Any, epoch: int) -> None:
    watched.wait(3600)
    assert covered(watched, epoch, 0, 3600) == (2400, 3600)


def test_a_step_is_told_once_it_is_over_in_all_processes(watched_of: Made, epoch: int) -> None:
    pod = watched_of(2)
    pod.wait(9)
    pod.wait(2, 0)
    assert covered(pod, epoch, 0, 20) == (0, 0)
    pod.wait(0)
    assert covered(pod, epoch, 0, 20) == (0, 10)


def test_seconds_and_minutes_are_told_too(watched: Any, epoch: int) -> None:
    watched.score([1.0], scores=[0.8])
    watched.wait(1)
    watched.score([1.0], [1.0], scores=[0.8, 0.8])
    watched.wait(1)
    page = watched.features(0, 2, step=1)
    assert (page["step"], page["rows"]) == (1, [1, 2])
    assert [sum(cells) for cells in page["cells"]] == [2, 4]
    watched.wait(58)
    page = watched.features(0, 60, step=60)
    assert (page["rows"], page["to"] - epoch) == ([3], 60)


def test_steps_that_nothing_came_in_are_told_too(watched: Any) -> None:
    watched.wait(20)
    watched.score([1.0], scores=[0.8])
    watched.step()
    page = watched.features(0, 30)
    assert page["rows"] == [0, 0, 1]
    assert [sum(cells) for cells in page["cells"]] == [0, 0, 2]


def test_fine_bins_are_told_when_they_are_asked_for(watched: Any) -> None:
    watched.score([1.5], [0.5], scores=[0.75, 0.25])
    watched.step()
    watched.score([1.75], scores=[0.5])
    watched.step()
    page = watched.features(0, 20, fine=True)
    assert (page["fine"], page["sums"]) == ([1, 2, 0, 0, 3], [0.5, 3.25, 0.0, 0.0, 1.5])
    assert "fine" not in watched.features(0, 20)


def test_before_there_is_a_model_it_is_not_ready(pod: Any) -> None:
    with pytest.raises(NotReadyError):
        pod.features()
    with pytest.raises(NotReadyError):
        pod.pages.layout()


def test_a_version_without_a_baseline_has_rows_but_no_cells() -> None:
    from pawl.serving.monitor.cells import Layout
    from pawl.serving.monitor.memory import Memory

    pages = FeaturePages(About("churn", "7", "sha256:0", 0.0), lambda: 180)
    pages.install(Layout(), Steps(Memory(), 0, 0))
    page = pages.counts(160, 180, step=10, fine=True)
    assert (page["rows"], page["cells"], page["fine"]) == ([0, 0], "", "")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"", Query(None, None), id="nothing"),
        pytest.param(b"from=60&to=120.5&fine=1", Query(60, 120, True), id="all"),
        pytest.param(b"step=60", Query(None, None, step=60), id="by the minute"),
        pytest.param(b"fine=0", Query(None, None), id="no fine bins"),
    ],
)
def test_a_query_says_when_and_how_fine(query: bytes, expected: Query) -> None:
    assert query_of(query) == expected


@pytest.mark.parametrize(
    "query", [b"from=x", b"to=-1", b"from=nan", b"fine=yes", b"step=7", b"step=1&fine=1", b"\xff"]
)
def test_a_query_that_cannot_be_understood_is_refused(query: bytes) -> None:
    with pytest.raises(UserError):
        query_of(query)


def test_a_page_of_two_hours_is_one_row_a_minute(watched: Any) -> None:
    watched.wait(60 * (m.MINUTES + 5))
    assert len(watched.features(0, 60 * (m.MINUTES + 5))["rows"]) == m.MINUTES
