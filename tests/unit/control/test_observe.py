"""The observer: the store is asked for a result when there may be one, and not before."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest

from pawl.constants import LABEL_POLL, LABEL_RUN, LABEL_TRIAL
from pawl.control.observe import Observer

CAUSE = {"deployment": "churn", "reason": "Drifted", "dataDigest": "sha256:" + "ab" * 32}
UNLABELLED = {"deployment": "churn", "reason": "Drifted", "minLabelled": 1000}


def training_job(phase: str | None, cause: dict[str, Any] | None) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if phase is not None:
        run = {"number": 1, "phase": phase, "recipeDigest": "sha256:" + "0" * 64}
        status = {"status": {"run": run}}
    spec = {"model": "churn"} | ({"cause": cause} if cause else {})
    return {"metadata": {"name": "a", "namespace": "ml", "uid": "u"}, "spec": spec} | status


class Cache:
    """Holds the Job of run 1, or none."""

    def __init__(self, *ended: str) -> None:
        conditions = [{"type": type_, "status": "True"} for type_ in ended if type_ != "gone"]
        job = {"metadata": {"labels": {LABEL_RUN: "1"}}, "status": {"conditions": conditions}}
        self.jobs = () if "gone" in ended else (job,)

    def owned(self, *_: Any) -> tuple[Any, ...]:
        return self.jobs

    def labelled(self, *_: Any, **__: Any) -> tuple[Any, ...]:
        return ()

    def of_model(self, *_: Any) -> tuple[Any, ...]:
        return ()


class Store:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def result(self, uid: str, run: int) -> None:
        self.asked += 1


class Tracker:
    """Tracks nothing."""

    def look(self, *_: Any) -> None:
        return None


class Silent:
    """Nobody says why a pod is missing."""

    async def of(self, *_: Any) -> str:
        return ""


BESIDE = {"tracker": Tracker(), "refusals": Silent()}


@pytest.mark.parametrize(
    ("ended", "asked"),
    [
        pytest.param((), 0, id="trials are under way"),
        pytest.param(("Complete",), 1, id="one is over, perhaps as the recipe was run before"),
    ],
)
async def test_a_trial_may_end_the_run(ended: tuple[str, ...], asked: int):
    store, cache = Store(), Cache(*ended)
    cache.jobs[0]["metadata"]["labels"][LABEL_TRIAL] = "0"
    parts: dict[str, Any] = {"cache": cache, "records": store} | BESIDE
    observer = Observer(**{name: parts.get(name) for name in signature(Observer).parameters})
    await observer.training_job(training_job("Running", None))
    assert store.asked == asked


@pytest.mark.parametrize(
    ("phase", "ended", "cause", "asked"),
    [
        pytest.param("Running", (), CAUSE, 0, id="under way"),
        pytest.param("Running", ("Complete",), None, 1, id="complete"),
        pytest.param("Running", ("gone",), None, 1, id="the Job is gone"),
        pytest.param(None, ("gone",), None, 1, id="the status is lost, and the Job gone"),
        pytest.param("Running", ("Failed",), None, 0, id="failed"),
        pytest.param("Running", ("Failed",), CAUSE, 1, id="failed, perhaps without new data"),
        pytest.param(
            "Running", ("Failed",), UNLABELLED, 1, id="failed, perhaps without new labels"
        ),
        pytest.param("NoNewData", ("Failed",), CAUSE, 0, id="told before"),
    ],
)
async def test_the_store_is_asked_when_there_may_be_a_result(
    phase: str | None, ended: tuple[str, ...], cause: dict[str, Any] | None, asked: int
):
    store = Store()
    parts: dict[str, Any] = {"cache": Cache(*ended), "records": store} | BESIDE
    observer = Observer(**{name: parts.get(name) for name in signature(Observer).parameters})
    await observer.training_job(training_job(phase, cause))
    assert store.asked == asked


async def test_looks_at_the_data_are_no_jobs_of_a_run():
    cache = Cache()
    look = {"metadata": {"labels": {LABEL_POLL: "3"}}}
    run = cache.jobs[0]
    cache.jobs = (look, run)
    parts: dict[str, Any] = {"cache": cache, "records": Store(), **BESIDE}
    observer = Observer(**{name: parts.get(name) for name in signature(Observer).parameters})
    observed = await observer.training_job(training_job("Running", None))
    assert (observed.jobs, observed.polls) == ((run,), (look,))
