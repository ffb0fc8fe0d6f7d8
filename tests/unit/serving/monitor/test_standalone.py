"""The monitor in servers of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from pawl.serving.monitor.asgi import Pages, Watched
from pawl.serving.monitor.standalone import Monitor

Made = Callable[..., Any]
PATH = "/predict"


@pytest.fixture
def monitor_of(baseline_of: Made, tmp_path: Path) -> Made:
    """A monitor of the columns a and plan."""

    def make(prediction: list[Any], *classes: Any) -> Monitor:
        path = tmp_path / "baseline.json"
        baseline = baseline_of({"a": [1.0, 2.0, 3.0]}, {"plan": ["pro"]}, prediction=prediction)
        path.write_text(baseline.model_dump_json(by_alias=True))
        names = {"model": "churn", "version": "7", "digest": "sha256:0"}
        return Monitor.from_baseline(path, classes=classes, **names)

    return make


@pytest.fixture
def monitor(monitor_of: Made) -> Monitor:
    found: Monitor = monitor_of([0.2, 0.8], "no", "yes")
    return found


def totals(monitor: Monitor) -> list[int]:
    """The cells since the start."""
    monitor._features.flush(60)
    found: list[int] = monitor._features._steps.totals().tolist()
    return found


def test_rows_are_counted_by_the_cells_of_the_baseline(monitor: Monitor) -> None:
    monitor.observe({"plan": ["pro", None], "a": [1.5, None]}, [0.9, 0.1])
    monitor.observe({"plan": np.array(["x"]), "a": np.array([9.0])}, np.array([0.3]))
    assert totals(monitor) == [0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0, 2]


def test_classes_may_be_predicted(monitor_of: Made) -> None:
    monitor = monitor_of(["x", "y"])
    monitor.observe({"plan": ["pro"] * 3, "a": [1.0] * 3}, ["y", None, "z"])
    assert totals(monitor)[-4:] == [0, 1, 1, 1]


def test_numbers_may_be_predicted(monitor_of: Made) -> None:
    monitor = monitor_of([10.0, 20.0])
    monitor.observe({"plan": ["pro"] * 2, "a": [1.0] * 2}, [15.0, float("nan")])
    assert totals(monitor)[-4:] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("features", "words"),
    [
        pytest.param({"a": [1.0]}, "plan: is missing", id="a column too few"),
        pytest.param({"a": [1.0, 2.0], "plan": ["x"]}, "a: 2 values for 1", id="too long"),
    ],
)
def test_columns_must_fit(monitor: Monitor, features: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        monitor.observe(features, [0.5])
    assert sum(totals(monitor)) == 0


def test_scores_are_of_two_classes(monitor_of: Made) -> None:
    with pytest.raises(ValueError, match="two classes, or none"):
        monitor_of([0.2, 0.8], "a", "b", "c")


class App:
    """Answers with a status (0: fails), and observes rows on the way."""

    def __init__(self, monitor: Monitor, status: int = 200, *, times: int = 1) -> None:
        self._monitor, self._status, self._times = monitor, status, times

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._status == 0:
            raise RuntimeError("the app fails")
        for _ in range(self._times):
            await asyncio.to_thread(
                self._monitor.observe, {"a": [1.0], "plan": ["pro"]}, [0.9], group="g"
            )
        await send({"type": "http.response.start", "status": self._status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def ask(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **more)


async def told(monitor: Monitor) -> Any:
    """The /monitor page, as if the second were over."""
    monitor._recorder.flush()
    monitor._recorder.memory.mine["closed"] += 10
    monitor._recorder._end = float("inf")
    return (await ask(Pages(monitor), "GET", "/monitor")).json()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(200, (1, 0, 0, 1), id="answered"),
        pytest.param(404, (1, 0, 1, 0), id="refused"),
        pytest.param(0, (1, 1, 0, 0), id="failed"),
    ],
)
async def test_watched_requests_are_counted(
    status: int, expected: tuple[int, ...], monitor: Monitor
) -> None:
    app = Watched(App(monitor, status), monitor, paths=[PATH])
    answer = await ask(app, "POST", PATH)
    assert answer.status_code == (status or 500)
    page = await told(monitor)
    assert tuple(page[name] for name in ("requests", "errors", "refused", "rows")) == expected
    assert (page["model"], page["version"]) == ("churn", 7)


async def test_of_a_request_the_first_call_is_its_answer_and_all_rows_are_counted(
    monitor: Monitor,
) -> None:
    app = Watched(App(monitor, times=3), monitor, paths=[PATH])
    await ask(app, "POST", PATH)
    page = await told(monitor)
    assert (page["requests"], page["rows"], sum(page["scores"])) == (1, 1, 1)
    assert totals(monitor)[0] == 3


async def test_a_request_of_which_nothing_was_observed_has_no_rows(monitor: Monitor) -> None:
    await ask(Watched(App(monitor, times=0), monitor, paths=[PATH]), "POST", PATH)
    page = await told(monitor)
    assert (page["requests"], page["rows"]) == (1, 0)


async def test_other_requests_are_not_counted(monitor: Monitor) -> None:
    app = Watched(App(monitor), monitor, paths=[PATH])
    assert (await ask(app, "GET", "/health")).status_code == 200
    page = await told(monitor)
    assert page["requests"] == 0
    assert totals(monitor)[0] == 1


async def test_pages_may_be_below_a_path(monitor: Monitor) -> None:
    app = Watched(App(monitor, 204), monitor, paths=[], pages="/pawl")
    layout = (await ask(app, "GET", "/pawl/features/layout")).json()
    assert [part["name"] for part in layout["features"]] == ["a", "plan", "prediction"]
    assert (await ask(app, "GET", "/pawl/features")).json()["layout"] == layout["layout"]
    assert (await ask(app, "GET", "/features")).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/features?from=x", 400), ("GET", "/nowhere", 404), ("POST", "/monitor", 405),
        ("HEAD", "/monitor", 200),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_said(
    method: str, path: str, status: int, monitor: Monitor
) -> None:
    answer = await ask(Pages(monitor), method, path)
    assert answer.status_code == status
    assert ("error" in answer.text) is (status != 200)
