"""Logs of train: read now and then, remembered in between, no more than is needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pawl.control import reports
from pawl.control.kube import KubeError
from pawl.control.reports import TrainLogs


class Kube:
    """Gives a log, and says how it was asked."""

    def __init__(self, log: str = "") -> None:
        self.log = log
        self.error: KubeError | None = None
        self.asked: list[tuple[str, int | None]] = []

    async def logs(
        self, _: str, pod: str, container: str, most: int, tail: int | None = None
    ) -> str:
        assert container == "train"
        self.asked.append((pod, tail))
        if self.error is not None:
            raise self.error
        return self.log[:most]


def pod(name: str = "p", state: str = "running") -> dict[str, Any]:
    status = {"initContainerStatuses": [{"name": "train", "state": {state: {}}}]}
    meta = {"name": name, "namespace": "ml", "uid": name, "creationTimestamp": name}
    return {"metadata": meta, "status": status}


def progress(percent: float) -> str:
    return json.dumps({"pawl": "progress", "percent": percent})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two looks."""
    monkeypatch.setattr(reports, "_PAUSE", 0.0)
    monkeypatch.setattr(reports, "_LONG_PAUSE", 0.0)


async def test_how_far_it_is_is_asked_now_and_then():
    kube = Kube(progress(40))
    logs = TrainLogs(kube)  # type: ignore[arg-type]
    assert [await logs.percent("u", [pod()]) for _ in range(3)] == [40, 40, 40]
    assert kube.asked == [("p", 100)]


@pytest.mark.usefixtures("at_once")
async def test_what_was_said_is_remembered_while_other_lines_follow_or_the_node_is_silent():
    kube = Kube(progress(40))
    logs = TrainLogs(kube)  # type: ignore[arg-type]
    assert await logs.percent("u", [pod()]) == 40
    kube.log = "epoch 3\n" * 200
    assert await logs.percent("u", [pod()]) == 40
    kube.error = KubeError(500, "InternalError", "the node does not answer")
    assert await logs.percent("u", [pod()]) == 40


@pytest.mark.usefixtures("at_once")
async def test_another_pod_begins_anew():
    kube = Kube(progress(90))
    logs = TrainLogs(kube)  # type: ignore[arg-type]
    assert await logs.percent("u", [pod("p1")]) == 90
    kube.log = ""
    assert await logs.percent("u", [pod("p1"), pod("p2")]) is None
    assert kube.asked[-1] == ("p2", 100)


@pytest.mark.parametrize("pods", [[], [pod(state="waiting")], [pod(state="terminated")]])
async def test_a_trainer_that_does_not_run_is_not_asked(pods: list[dict[str, Any]]):
    kube = Kube(progress(40))
    assert await TrainLogs(kube).percent("u", pods) is None  # type: ignore[arg-type]
    assert kube.asked == []


async def test_a_trial_that_is_over_is_asked_once_more_and_no_more():
    kube = Kube(json.dumps({"pawl": "report", "step": 1, "value": 0.5}))
    logs = TrainLogs(kube)  # type: ignore[arg-type]
    for over in (set(), set(), {3}, {3}):
        assert await logs.intermediate("u", {3: pod()}, over) == {3: ((1, 0.5),)}
    assert kube.asked == [("p", None), ("p", None)]


async def test_what_is_of_jobs_that_are_gone_is_forgotten():
    kube = Kube(progress(40))
    logs = TrainLogs(kube)  # type: ignore[arg-type]
    for uid in ("gone", "there"):
        await logs.percent(uid, [pod()])
    logs.forget({"there"})
    for uid in ("gone", "there"):
        await logs.percent(uid, [pod()])
    assert len(kube.asked) == 3
