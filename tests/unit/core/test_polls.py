"""Looks at the data: a Job at a time, and a run when they are not those of the last one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from world import DIGEST, INSTALLATION, NOW, World, training_job

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import NoNewData, Seen, Termination
from pawl.core.manifests.training import build_poll

NAME = "churn-nov"
OTHER = "sha256:" + "cd" * 32


def world(**spec: Any) -> World:
    """Run 1 is over, at 12:00 and some seconds."""
    made = World()
    made.add(training_job(**{"onDataChange": {"interval": "10m"}, **spec}))
    made.settle()
    made.finish_job()
    made.settle()
    return made


def status(w: World) -> dict[str, Any]:
    return w.status("TrainingJob", NAME)


def looks(w: World) -> list[dict[str, Any]]:
    return [job for job in w.of("Job") if "pawl.dev/poll" in job["metadata"]["labels"]]


def later(w: World, minutes: float) -> None:
    w.clock = NOW + timedelta(minutes=minutes)
    w.settle()


def end(
    w: World, digest: str | None, condition: str = "Complete", validator: str | None = None
) -> None:
    """The look that goes on ends."""
    (job,) = looks(w)
    job["status"] = {"conditions": [{"type": condition, "status": "True", "message": "told"}]}
    told = Termination(stage="digest", digest=digest, validator=validator)
    message = told.model_dump_json(by_alias=True)
    state = {"terminated": {"exitCode": 0, "message": message}}
    labels = {"pawl.dev/poll": job["metadata"]["labels"]["pawl.dev/poll"]}
    w.poll_pods = [
        {
            "metadata": {"name": "p", "labels": labels},
            "status": {"containerStatuses": [{"name": "digest", "state": state}]},
        }
    ]
    w.settle()


def test_a_look_begins_when_the_interval_is_over() -> None:
    w = world()
    assert looks(w) == []
    later(w, 9)
    assert looks(w) == []
    later(w, 11)
    (job,) = looks(w)
    assert job["metadata"]["name"] == "churn-nov-p1"
    assert (status(w)["poll"]["number"], status(w)["poll"]["running"]) == (1, True)
    later(w, 40)
    assert [j["metadata"]["name"] for j in looks(w)] == ["churn-nov-p1"]  # one at a time


def test_the_same_data_start_nothing_and_leave_nothing() -> None:
    w = world()
    later(w, 11)
    end(w, DIGEST)
    assert looks(w) == []
    assert status(w)["run"]["number"] == 1
    assert status(w)["poll"]["digest"] == DIGEST
    later(w, 20)
    assert looks(w) == []
    later(w, 22)
    assert [job["metadata"]["name"] for job in looks(w)] == ["churn-nov-p2"]


def test_other_data_start_a_run() -> None:
    w = world()
    later(w, 11)
    end(w, OTHER)
    run = status(w)["run"]
    assert (run["number"], run["trigger"]) == (2, "DataChange")
    assert looks(w) == []
    told = [event.message for event in w.events if event.reason == "RunStarted"]
    assert told[-1] == f"run 2 of churn: the data are {OTHER[:19]} now"


def test_a_run_that_fails_is_not_repeated_on_the_same_data() -> None:
    w = world()
    later(w, 11)
    end(w, OTHER)
    w.fail_job()
    w.settle()
    assert status(w)["phase"] == "Failed"
    later(w, 30)
    end(w, OTHER)
    assert status(w)["run"]["number"] == 2
    later(w, 50)
    end(w, DIGEST)
    assert status(w)["run"]["number"] == 3


def test_after_a_first_run_that_failed_a_look_says_what_to_compare_with() -> None:
    w = World()
    w.add(training_job(onDataChange={"interval": "10m"}))
    w.settle()
    w.fail_job()
    w.settle()
    end(w, DIGEST)
    assert status(w)["run"]["number"] == 1
    later(w, 15)
    end(w, OTHER)
    assert status(w)["run"]["number"] == 2


@pytest.mark.parametrize(
    ("digest", "condition", "said"),
    [
        pytest.param(None, "Complete", "gone without a word", id="its message is lost"),
        pytest.param(None, "Failed", "told", id="it failed"),
    ],
)
def test_a_look_that_tells_nothing_is_told_once(
    digest: str | None, condition: str, said: str
) -> None:
    w = world()
    for minutes in (11, 30):
        later(w, minutes)
        end(w, digest, condition)
        assert said in status(w)["poll"]["message"]
    (event,) = (event for event in w.events if event.reason == "PollFailed")
    assert said in event.message
    later(w, 50)
    end(w, DIGEST)
    assert "message" not in status(w)["poll"] or status(w)["poll"]["message"] == ""


def test_a_look_whose_job_is_gone_told_nothing() -> None:
    w = world()
    later(w, 11)
    (job,) = looks(w)
    del w.objects[("Job", job["metadata"]["name"])]
    w.settle()
    assert "gone without a word" in status(w)["poll"]["message"]


@pytest.mark.parametrize("change", [{"suspend": True}, {"seed": 5}, {"onDataChange": None}])
def test_no_look_goes_on_when_it_is_not_wanted(change: dict[str, Any]) -> None:
    w = world()
    later(w, 11)
    item = w.objects[("TrainingJob", NAME)]
    w.add({**item, "spec": {k: v for k, v in {**item["spec"], **change}.items() if v is not None}})
    w.settle()
    assert looks(w) == []


def test_the_job_reads_what_prepare_reads() -> None:
    item = training_job(
        data={"uri": "pvc://lake/x.parquet", "task": "binary", "target": "churned"},
        template={"serviceAccountName": "reader"},
    )
    spec = TrainingJobSpec.model_validate(item["spec"])
    job = build_poll(item, spec, 7, INSTALLATION)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["args"], pod["serviceAccountName"]) == (["digest"], "reader")
    assert {"name": "claim", "persistentVolumeClaim": {"claimName": "lake"}} in pod["volumes"]
    assert "initContainers" not in pod
    assert job["spec"]["backoffLimit"] == 0


def told(w: World) -> Seen | None:
    """What the look that goes on is told of the one before it."""
    (job,) = looks(w)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    env = {variable["name"]: variable.get("value", "") for variable in container["env"]}
    return Seen.model_validate_json(env["PAWL_SEEN"]) if "PAWL_SEEN" in env else None


def test_a_look_is_told_what_the_last_one_found() -> None:
    w = world()
    later(w, 11)
    assert told(w) is None
    end(w, DIGEST, validator=OTHER)
    later(w, 22)
    assert told(w) == Seen(validator=OTHER, digest=DIGEST)
    end(w, None)  # a look that told nothing
    later(w, 33)
    assert told(w) == Seen(validator=OTHER, digest=DIGEST)
    end(w, DIGEST)  # nothing vouches for these
    later(w, 44)
    assert told(w) is None


def test_nothing_new_counts_as_the_data_of_the_run() -> None:
    w = World()
    w.add(training_job(onDataChange={"interval": "10m"}))
    w.settle()
    w.finish_job()
    w.results["uid-1-1"] = NoNewData(uid="uid-1", run=1, data_digest=DIGEST)
    w.settle()
    later(w, 11)
    end(w, DIGEST)
    assert status(w)["run"]["number"] == 1
