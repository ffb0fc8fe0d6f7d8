"""Runs that a schedule starts: one for each time, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import (
    INSTALLATION,
    NOW,
    ConflictError,
    OperatorDiedError,
    World,
    run_result,
    training_job,
)

from pawl.core.trainingjob import plan_training_job

NAME = "churn-nov"


def world(**spec: Any) -> World:
    """12:00:00, and run 1 has begun."""
    made = World()
    made.add(training_job(**{"schedule": "*/5 * * * *", **spec}))
    made.settle()
    return made


def finish(w: World) -> None:
    w.finish_job()
    w.settle()


def status(w: World) -> dict[str, Any]:
    return w.status("TrainingJob", NAME)


def later(w: World, minutes: float) -> None:
    w.clock = NOW + timedelta(minutes=minutes)
    w.settle()


def change(w: World, **spec: Any) -> None:
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], **spec}})
    w.settle()


def numbers(w: World) -> list[int]:
    s = status(w)
    return [s["run"]["number"], *(run["number"] for run in s.get("runs", ()))]


def test_a_time_starts_a_run_and_the_next_one_is_told() -> None:
    w = world()
    assert status(w)["schedule"]["next"] == "2026-11-21T12:05:00Z"
    finish(w)
    later(w, 4.9)
    assert numbers(w) == [1]
    later(w, 5.1)
    run = status(w)["run"]
    assert (run["number"], run["trigger"], run["due"]) == (2, "Schedule", "2026-11-21T12:05:00Z")
    assert [job["metadata"]["name"] for job in w.of("Job")] == ["churn-nov-r2"]
    told = [event.message for event in w.events if event.reason == "RunStarted"]
    assert told[-1] == "run 2 of churn: due at 2026-11-21T12:05:00Z"


def test_the_queue_looks_again_when_it_is_due() -> None:
    w = world()
    finish(w)
    w.clock = NOW + timedelta(minutes=4)
    assert w.reconcile_job().requeue_after == 60
    change(w, schedule="0 3 1 1 *")
    wait = w.reconcile_job().requeue_after
    assert wait is not None
    assert wait <= 600  # somebody may set the clock


def test_forbid_waits_and_catches_up_once() -> None:
    w = world()
    later(w, 17)
    assert numbers(w) == [1]
    finish(w)
    assert numbers(w) == [2, 1]
    assert status(w)["run"]["due"] == "2026-11-21T12:15:00Z"
    finish(w)
    assert numbers(w) == [2, 1]


def test_replace_takes_the_place_of_the_run_that_goes_on() -> None:
    w = world(concurrencyPolicy="Replace")
    later(w, 6)
    assert numbers(w) == [2, 1]
    assert status(w)["runs"][0]["phase"] == "Superseded"
    assert [job["metadata"]["name"] for job in w.of("Job")] == ["churn-nov-r2"]


def test_what_cannot_start_before_its_deadline_is_missed_and_told() -> None:
    w = world(startingDeadlineSeconds=60)
    later(w, 6.5)
    finish(w)
    assert numbers(w) == [1]
    (told,) = (event.message for event in w.events if event.reason == "RunMissed")
    assert told.startswith("the run due at 2026-11-21T12:05:00Z could not start")
    later(w, 10.5)
    assert numbers(w) == [2, 1]


def test_a_suspended_job_starts_none_and_catches_up_when_it_goes_on() -> None:
    w = world()
    finish(w)
    change(w, suspend=True)
    later(w, 12)
    assert numbers(w) == [1]
    change(w, suspend=False)
    assert status(w)["run"]["due"] == "2026-11-21T12:10:00Z"


def test_another_schedule_begins_anew() -> None:
    """It does not catch up what it would have started before it was there."""
    w = world()
    finish(w)
    w.clock = NOW + timedelta(minutes=4)
    change(w, schedule="* * * * *")
    assert numbers(w) == [1]
    later(w, 5.1)
    assert numbers(w) == [2, 1]


def test_no_schedule_any_more() -> None:
    w = world()
    finish(w)
    item = copy.deepcopy(w.objects[("TrainingJob", NAME)])
    del item["spec"]["schedule"]
    w.add(item)
    later(w, 60)
    assert numbers(w) == [1]
    assert "schedule" not in status(w)


def test_a_clock_that_goes_back_starts_nothing_twice() -> None:
    w = world()
    finish(w)
    later(w, 6)
    finish(w)
    for minutes in (2, 5.5, 9.9):
        later(w, minutes)
    assert numbers(w) == [2, 1]
    later(w, 10.1)
    assert numbers(w) == [3, 2, 1]


def test_a_failed_run_does_not_end_the_schedule() -> None:
    w = world()
    w.fail_job()
    w.settle()
    assert status(w)["phase"] == "Failed"
    later(w, 6)
    assert (numbers(w), status(w)["run"]["phase"]) == ([2, 1], "Pending")


@pytest.mark.parametrize(
    ("spec", "said"),
    [({"schedule": "61 * * * *"}, "bad minute"), ({"timeZone": "Mars/Olympus"}, "is not known")],
)
def test_what_is_no_schedule_is_told_once_and_the_run_goes_on(
    spec: dict[str, Any], said: str
) -> None:
    w = world(**spec)
    w.reconcile_job()
    (event,) = (event for event in w.events if event.reason == "InvalidSchedule")
    assert said in event.message
    finish(w)
    assert status(w)["phase"] == "Succeeded"
    scheduled = next(c for c in status(w)["conditions"] if c["type"] == "Scheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "InvalidSchedule")


def test_limits_of_the_history() -> None:
    w = world(successfulRunsHistoryLimit=1, failedRunsHistoryLimit=1)
    for i, fails in enumerate((False, True, False, True, False)):
        w.fail_job() if fails else w.finish_job()
        w.settle()
        later(w, 5 * (i + 1) + 0.5)
    assert [(run["number"], run["phase"]) for run in status(w)["runs"]] == [
        (5, "Succeeded"),
        (4, "Failed"),
    ]
    assert [item["metadata"]["name"] for item in w.of("Job")] == ["churn-nov-r6"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 900)),
        st.tuples(st.just("back"), st.integers(1, 400)),
        st.tuples(st.just("finish"), st.just(0)),
        st.tuples(st.just("die"), st.integers(0, 4)),
        st.tuples(st.just("two"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.sampled_from(["Forbid", "Replace"]))
def test_each_time_has_at_most_one_run_and_the_last_one_is_never_lost(
    steps: list[tuple[str, int]], policy: str
) -> None:
    """Operators die in the middle of a plan, two of them plan at once, and clocks are set back."""
    w = world(concurrencyPolicy=policy)
    for step, size in steps:
        if step == "wait":
            w.clock += timedelta(seconds=size)
        elif step == "back":
            w.clock -= timedelta(seconds=size)
        elif step == "finish":
            run = status(w)["run"]["number"]
            if run_of_job(w) == run:
                w.finish_job(run_result("uid-1", run))
        with contextlib.suppress(OperatorDiedError, ConflictError):
            if step == "two":
                stale = w.observe_job(NAME)
                w.reconcile_job()
                plan_again(w, stale)
            else:
                w.reconcile_job(die_after=size if step == "die" else None)
        due = [r["due"] for r in [status(w)["run"], *status(w).get("runs", ())] if "due" in r]
        assert due == sorted(set(due), reverse=True)
    w.settle()
    handled = status(w)["schedule"]["handled"]
    w.clock = max(w.clock, NOW) + timedelta(minutes=30)
    w.settle()
    if policy == "Forbid":
        finish(w)
    assert status(w)["run"]["trigger"] == "Schedule"
    assert status(w)["run"]["due"] >= handled


def run_of_job(w: World) -> int:
    """0 when there is none: the operator died between two Jobs."""
    runs = (int(job["metadata"]["labels"]["pawl.dev/run"]) for job in w.of("Job"))
    return max(runs, default=0)


def plan_again(w: World, stale: Any) -> None:
    """By an operator that has not seen what the other one wrote."""
    w.carry_out(stale.object, plan_training_job(stale, INSTALLATION, w.clock))
