"""The parts of the Job planner that stand by themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.controllers.job import indexes
from pawl.local.controllers.job.backoff import Backoff, finished_at
from pawl.local.controllers.job.controller import plan_ttl
from pawl.local.controllers.objects import Obj, stamp

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(seconds_ago: float) -> Obj:
    at = stamp(NOW - timedelta(seconds=seconds_ago))
    statuses = [{"name": "main", "state": {"terminated": {"exitCode": 1, "finishedAt": at}}}]
    return {"metadata": {}, "status": {"containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("1,3-5,7", [1, 3, 4, 5, 7], id="runs"),
        pytest.param("8-99", [8, 9], id="cut-to-completions"),
        pytest.param("1,x,3", [1, 3], id="corrupt-part"),
    ],
)
def test_indexes_are_parsed(text: str, expected: list[int]) -> None:
    assert sorted(indexes.parse(text, 10)) == expected


@given(st.sets(st.integers(0, 60)))
def test_indexes_survive_rendering(found: set[int]) -> None:
    assert indexes.parse(indexes.render(found), 61) == found


def test_runs_of_two_are_written_as_two() -> None:
    assert indexes.render([1, 2, 4, 5, 6]) == "1,2,4-6"


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (90, 600)]
)
def test_backoff_doubles_up_to_ten_minutes(failures: int, wait: float) -> None:
    assert Backoff(failures, NOW).remaining(NOW) == wait


def test_only_failures_after_the_latest_success_count() -> None:
    after = Backoff(5, NOW).after([ended(20)], [ended(30), ended(10)])
    assert after == Backoff(1, NOW - timedelta(seconds=10))


def test_a_pod_without_container_ends_ended_when_it_became_unready() -> None:
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": stamp(NOW)}
    pod = {"metadata": {}, "status": {"conditions": [ready], "containerStatuses": []}}
    assert finished_at(pod) == NOW


@pytest.mark.parametrize(
    ("ttl", "seconds_later", "deleted", "wait"),
    [
        pytest.param(None, 1000, False, None, id="no-ttl"),
        pytest.param(60, 20, False, 40.0, id="waits"),
        pytest.param(60, 60, True, None, id="due"),
        pytest.param(0, 0, True, None, id="at-once"),
    ],
)
def test_ttl_after_finished(
    ttl: int | None, seconds_later: float, deleted: bool, wait: float | None
) -> None:
    done = {"type": "Complete", "status": "True", "lastTransitionTime": stamp(NOW)}
    job = {
        "metadata": {"name": "j"},
        "spec": {"ttlSecondsAfterFinished": ttl},
        "status": {"conditions": [done]},
    }
    plan = plan_ttl(job, NOW + timedelta(seconds=seconds_later))
    assert (bool(plan.changes), plan.requeue_after) == (deleted, wait)
