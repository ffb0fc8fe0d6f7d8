"""Runs of several workers: one fails, all begin anew; what a disruption ended does not count."""

from __future__ import annotations

import contextlib
import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import ConflictError, OperatorDiedError, World, training_job

from pawl.core.attempts import Attempt, attempt_of, following, wait

NAME = "churn-nov"
INDEX = "batch.kubernetes.io/job-completion-index"
TRAINER = {"container": {"image": "me/train:1"}}


def world(**spec: Any) -> World:
    made = World()
    made.add(training_job(trainer=TRAINER, workers=2, **spec))
    return made


def jobs(w: World) -> list[str]:
    return [job["metadata"]["name"] for job in w.of("Job")]


def fail(w: World, reason: str = "BackoffLimitExceeded", message: str = "told") -> None:
    """The Job that there is fails now."""
    (job,) = w.of("Job")
    w.add(with_condition(job, reason, message, w.clock.isoformat()))


def with_condition(job: dict[str, Any], reason: str, message: str, at: str) -> dict[str, Any]:
    failed = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    return copy.deepcopy(job) | {"status": {"conditions": [failed | {"lastTransitionTime": at}]}}


def pod(worker: int, attempt: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"p-{worker}",
            "annotations": {INDEX: str(worker)},
            "labels": {"pawl.dev/attempt": str(attempt)},
        },
        "spec": {},
        "status": status,
    }


def ended(code: int, at: str) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "finishedAt": at}}
    return {"phase": "Failed", "initContainerStatuses": [{"name": "train", "state": state}]}


DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}


def later(w: World, seconds: float = 600) -> None:
    w.clock += timedelta(seconds=seconds)
    w.settle()


def test_a_failed_attempt_is_followed_by_the_next_after_a_while():
    w = world()
    w.settle()
    assert jobs(w) == [f"{NAME}-r1"]
    fail(w)
    w.settle()
    assert jobs(w) == [f"{NAME}-r1"]
    later(w, 10)
    assert jobs(w) == [f"{NAME}-r1-a2"]
    assert [event.reason for event in w.events] == ["RunStarted", "AttemptFailed"]


def test_more_than_backoff_limit_failures_fail_the_run():
    w = world(backoffLimit=1)
    w.settle()
    for _ in range(2):
        fail(w)
        later(w)
    assert jobs(w) == [f"{NAME}-r1-a2"]
    assert w.status("TrainingJob", NAME)["phase"] == "Failed"


def test_the_worker_that_failed_first_is_told():
    w = world(backoffLimit=0)
    w.settle()
    w.pods = [
        pod(0, **ended(1, "2026-11-21T12:00:05Z")),
        pod(1, **ended(7, "2026-11-21T12:00:03Z")),
    ]
    fail(w)
    w.settle()
    message = w.status("TrainingJob", NAME)["run"]["message"]
    assert message == "train: worker 1: stage train ended with exit code 7"


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        pytest.param("PodFailurePolicy", "Container train failed with 10", id="wrong input"),
        pytest.param("DeadlineExceeded", "too long", id="deadline"),
    ],
)
def test_what_trying_again_cannot_help_fails_the_run(reason: str, message: str):
    w = world(backoffLimit=5)
    w.settle()
    fail(w, reason, message)
    w.settle()
    assert w.status("TrainingJob", NAME)["phase"] == "Failed"


def test_disruptions_do_not_count_also_when_the_pod_is_gone_by_then():
    w = world(backoffLimit=0)
    w.settle()
    w.pods = [pod(0), pod(1, **DISRUPTED)]
    w.settle()
    w.pods = [pod(0)]
    fail(w)
    later(w)
    assert jobs(w) == [f"{NAME}-r1-a2"]
    fail(w, "PodFailurePolicy", "Pod ml/p-1 has condition DisruptionTarget matching FailJob rule")
    later(w)
    assert jobs(w) == [f"{NAME}-r1-a3"]


def test_a_disruption_of_an_earlier_attempt_is_not_the_next_ones():
    w = world()
    w.settle()
    fail(w)
    later(w)
    w.pods = [pod(1, attempt=1, **DISRUPTED)]
    w.settle()
    (job,) = w.of("Job")
    assert "pawl.dev/disrupted" not in job["metadata"]["annotations"]


def test_a_worker_that_cannot_start_is_told_whichever_it_is():
    w = world()
    w.settle()
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "no GPU is free"}
    w.pods = [pod(0), pod(1, conditions=[unscheduled])]
    w.settle()
    (ready,) = (c for c in w.status("TrainingJob", NAME)["conditions"] if c["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == ("Unschedulable", "no GPU is free")


def test_backoff_limit_stays_zero_when_the_spec_s_changes():
    w = world()
    w.settle()
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], "backoffLimit": 7}})
    w.settle()
    (job,) = w.of("Job")
    assert job["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize(("failures", "seconds"), [(0, 10), (1, 10), (2, 20), (4, 80), (20, 600)])
def test_waits_are_those_of_a_job(failures: int, seconds: float):
    w = world()
    w.settle()
    fail(w)
    assert wait(w.of("Job")[0], failures, w.clock) == seconds


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), max_size=5), st.integers(0, 3))
def test_whoever_dies_when_attempts_are_counted_right(ends: list[tuple[bool, int]], limit: int):
    """Each attempt ends by a disruption or not, and the operator dies after so many writes."""
    w = world(backoffLimit=limit)
    w.settle()
    failures, number = 0, 1
    for disrupted, writes in ends:
        message = "Pod p has condition DisruptionTarget" if disrupted else "told"
        fail(w, "PodFailurePolicy" if disrupted else "BackoffLimitExceeded", message)
        w.clock += timedelta(seconds=600)
        with contextlib.suppress(OperatorDiedError, ConflictError):
            w.reconcile_job(die_after=writes)
        w.settle()
        if not disrupted and failures == limit:
            assert w.status("TrainingJob", NAME)["phase"] == "Failed"
            return
        failures, number = failures + (not disrupted), number + 1
        (job,) = w.of("Job")
        assert attempt_of(job) == Attempt(number, failures)
        assert following(job, (), limit) is None
