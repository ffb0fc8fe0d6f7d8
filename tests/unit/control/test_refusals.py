"""Pods that cannot be created: the Job controller's events are read, where pods are missing."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.control import refusals
from pawl.control.kube import KubeError
from pawl.control.refusals import Refusals

QUOTA = "exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4"
TOLD = {"message": f'Error creating: pods "a-r1-x7k2p" is forbidden: {QUOTA}', "lastTimestamp": "2"}
OLD = {"message": "Error creating: something else", "lastTimestamp": "1"}


class Kube:
    """Has events, and counts how often it is asked for them."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.found = events
        self.error: KubeError | None = None
        self.asked: list[tuple[str, str]] = []

    async def events(self, _: str, uid: str, reason: str) -> tuple[dict[str, Any], ...]:
        self.asked.append((uid, reason))
        if self.error is not None:
            raise self.error
        return self.found


def job(uid: str = "j", ended: str = "", **spec: Any) -> dict[str, Any]:
    conditions = [{"type": ended, "status": "True"}] if ended else []
    meta = {"uid": uid, "namespace": "ml", "name": uid}
    return {"metadata": meta, "spec": spec, "status": {"conditions": conditions}}


def pod(owner: str = "j") -> dict[str, Any]:
    return {"metadata": {"ownerReferences": [{"uid": owner, "controller": True}]}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_PATIENCE", 0.0)


def of(kube: Kube) -> Refusals:
    return Refusals(kube)  # type: ignore[arg-type]


async def test_the_newest_event_is_told_without_the_name_of_the_pod():
    assert await of(Kube(OLD, TOLD)).of("u", [job()], []) == QUOTA


async def test_it_is_asked_now_and_then():
    kube = Kube(TOLD)
    known = of(kube)
    assert [await known.of("u", [job()], []) for _ in range(3)] == [QUOTA] * 3
    assert kube.asked == [("j", "FailedCreate")]


async def test_pods_have_a_while_to_appear(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refusals, "_PATIENCE", 60.0)
    kube = Kube(TOLD)
    assert await of(kube).of("u", [job()], []) == ""
    assert kube.asked == []


@pytest.mark.parametrize(
    ("jobs", "pods"),
    [
        pytest.param([], [], id="no Job"),
        pytest.param([job()], [pod()], id="all pods are there"),
        pytest.param([job(suspend=True)], [], id="suspended"),
        pytest.param([job(ended="Complete")], [], id="complete"),
        pytest.param([job(ended="Failed")], [], id="failed"),
    ],
)
async def test_where_no_pod_is_missing_nobody_is_asked(jobs: list[Any], pods: list[Any]):
    kube = Kube(TOLD)
    assert await of(kube).of("u", jobs, pods) == ""
    assert kube.asked == []


async def test_one_of_several_workers_may_be_missing():
    assert await of(Kube(TOLD)).of("u", [job(parallelism=2)], [pod(), pod("other")]) == QUOTA


async def test_nothing_is_told_any_more_when_the_pods_are_there():
    known = of(Kube(TOLD))
    assert await known.of("u", [job()], []) == QUOTA
    assert await known.of("u", [job()], [pod()]) == ""


async def test_an_api_server_that_does_not_answer_holds_nothing_up():
    kube = Kube(TOLD)
    kube.error = KubeError(500, "InternalError", "later")
    assert await of(kube).of("u", [job()], []) == ""
