"""TrainingJobs in a queue of Kueue: it alone says when their Jobs run."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from world import World, training_job

NAME = "churn-nov"
QUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}
PRIORITY = {"kueue.x-k8s.io/priority-class": "high"}


def world(labels: dict[str, str] = QUEUE, **spec: Any) -> World:
    made = World()
    item = training_job(**spec)
    item["metadata"]["labels"] = labels
    made.add(item)
    made.settle()
    return made


def job(w: World) -> dict[str, Any]:
    (found,) = w.of("Job")
    return found


def kueue(w: World, *, suspend: bool, **pod: Any) -> None:
    """What Kueue writes when it admits or evicts."""
    new = copy.deepcopy(job(w))
    new["spec"]["suspend"] = suspend
    new["spec"]["template"]["spec"] |= pod
    w.add(new)


def change(w: World, **spec: Any) -> None:
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {**item["spec"], **spec}})
    w.settle()


def suspended(w: World) -> tuple[str, str, str]:
    status = w.status("TrainingJob", NAME)
    (found,) = (c for c in status["conditions"] if c["type"] == "Suspended")
    return status["phase"], found["status"], found["reason"]


def test_a_job_in_a_queue_is_created_suspended_and_says_so():
    w = world({**QUEUE, **PRIORITY, "team": "a"})
    assert job(w)["spec"]["suspend"] is True
    labels = job(w)["metadata"]["labels"]
    assert (QUEUE | PRIORITY).items() <= labels.items()
    assert "team" not in labels
    assert not (QUEUE | PRIORITY).keys() & job(w)["spec"]["template"]["metadata"]["labels"].keys()
    assert suspended(w) == ("Queued", "True", "WaitsForKueue")
    assert [event.reason for event in w.events] == ["RunStarted", "Suspended"]
    assert w.events[-1].message == "waits for Kueue to admit it to the queue team-a"


def test_what_kueue_writes_stays():
    w = world()
    for suspend in (False, True, False):
        kueue(w, suspend=suspend, nodeSelector={"pool": "spot"})
        w.settle()
        assert job(w)["spec"]["suspend"] is suspend
        assert job(w)["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "spot"}
        assert suspended(w)[1:] == (
            ("True", "WaitsForKueue") if suspend else ("False", "NotSuspended")
        )
    told = [event.reason for event in w.events]
    assert told == ["RunStarted", "Suspended", "Resumed", "Suspended", "Resumed"]


@pytest.mark.parametrize("admitted", [True, False])
def test_suspending_takes_the_job_out_of_the_queue_and_resuming_puts_it_back(admitted: bool):
    w = world()
    kueue(w, suspend=not admitted)
    w.settle()
    change(w, suspend=True)
    assert w.of("Job") == ()
    assert suspended(w) == ("Suspended", "True", "SuspendedByUser")
    change(w, suspend=False)
    assert job(w)["spec"]["suspend"] is True
    assert suspended(w)[0] == "Queued"
    assert w.status("TrainingJob", NAME)["run"]["number"] == 1


def test_what_is_applied_suspended_is_not_queued():
    w = world(suspend=True)
    assert w.of("Job") == ()
    assert suspended(w) == ("Suspended", "True", "SuspendedByUser")


def test_other_fields_change_in_place():
    w = world()
    change(w, activeDeadlineSeconds=60)
    assert job(w)["spec"]["activeDeadlineSeconds"] == 60
    assert job(w)["spec"]["suspend"] is True


def test_without_a_queue_nothing_of_kueue_s_is_there():
    w = world(PRIORITY)
    assert job(w)["spec"]["suspend"] is False
    assert not PRIORITY.keys() & job(w)["metadata"]["labels"].keys()
