"""A run that makes a version again: what it is told, why it cannot be, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from world import DIGEST, World, run_json, training_job

from pawl.artifacts.runs import Compared, Reproduction, StoreRef

AGAIN = "again"
WINDOW = {
    "embargo": "2026-11-01T00:00:00Z",
    "start": "2026-11-02T00:00:00Z",
    "end": "2026-11-03T00:00:00Z",
}
RETRAINED = {
    "uri": "s3://lake/x",
    "digest": DIGEST,
    "newest": "2026-11-03T00:00:00Z",
    "window": WINDOW,
}


def world(**spec: Any) -> World:
    """churn-v1 is there, and a TrainingJob that makes it again."""
    w = World()
    w.add(training_job())
    w.settle()
    w.finish_job()
    w.settle()
    w.verify_all()
    w.objects.pop(("Job", next(job["metadata"]["name"] for job in w.of("Job"))), None)
    w.add(training_job(AGAIN, "uid-2", **{"reproduces": "churn-v1", **spec}))
    return w


def config(w: World) -> dict[str, Any]:
    (job,) = (job for job in w.of("Job") if job["metadata"]["name"].startswith(AGAIN))
    return run_json(job)  # type: ignore[no-any-return]


def ended(w: World, *files: Compared) -> None:
    w.settle(AGAIN)
    w.finish_job(name=AGAIN)
    same = all(file.same for file in files)
    w.results["uid-2-1"] = Reproduction(
        uid="uid-2", run=1, outcome="Reproduced" if same else "Differs", files=files,
        version=StoreRef(name="churn-v1", uri="file:///store/b", digest=DIGEST),
        data_digest=DIGEST,
    )  # fmt: skip
    w.settle(AGAIN)


def test_the_pod_is_told_the_version_and_its_data_and_of_no_champion():
    w = world()
    w.settle(AGAIN)
    told = config(w)
    assert told["reproduces"]["name"] == "churn-v1"
    assert told["dataDigest"] == DIGEST
    assert (told["champion"], told["known"]) == (None, [])


@pytest.mark.parametrize("champion", ["churn-v1", None])
def test_a_retrain_is_cut_as_then_beside_the_champion_then(champion: str | None):
    w = world()
    lineage = w.objects[("ModelVersion", "churn-v1")]["spec"]["lineage"]
    lineage["data"] = RETRAINED
    if champion is not None:
        lineage["parent"] = champion
    w.settle(AGAIN)
    told = config(w)
    assert (told["window"], told["startedAt"]) == (WINDOW, WINDOW["end"])
    assert (told["champion"] or {"name": None})["name"] == champion


@pytest.mark.parametrize(
    ("files", "phase", "reason"),
    [
        pytest.param((Compared(name="a", expected="1", found="1"),), "Reproduced", "Reproduced",
                     id="same"),
        pytest.param((Compared(name="a", expected="1", found=None),), "Differs", "NotReproduced",
                     id="one is missing"),
    ],
)  # fmt: skip
def test_no_version_comes_of_it(files: tuple[Compared, ...], phase: str, reason: str):
    w = world()
    ended(w, *files)
    status = w.status("TrainingJob", AGAIN)
    conditions = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert status["phase"] == phase
    assert conditions["Complete"] == ("True", phase)
    assert conditions["Ready"] == ("True", phase)
    assert status["files"][0]["same"] is (phase == "Reproduced")
    assert [event.reason for event in w.events].count(reason) == 1
    assert w.versions_made == 1
    assert "modelVersion" not in status


def test_what_has_ended_stays_as_it_is():
    w = world()
    ended(w, Compared(name="a", expected="1", found="1"))
    plan = w.reconcile_job(AGAIN)
    assert (plan.actions, plan.events) == ((), ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"trainingJob": None}, "was imported", id="imported"),
        pytest.param({"data": None}, "was imported", id="no data"),
        pytest.param({"data": RETRAINED, "parent": "churn-v7"}, "no ModelVersion churn-v7 any more",
                     id="a retrain whose champion is gone"),
    ],
)  # fmt: skip
def test_a_version_that_cannot_be_made_again_is_refused(changes: dict[str, Any], words: str):
    w = world()
    lineage = w.objects[("ModelVersion", "churn-v1")]["spec"]["lineage"]
    for key, value in changes.items():
        lineage.pop(key, None)
        if value is not None:
            lineage[key] = value
    w.settle(AGAIN)
    stalled = next(
        c for c in w.status("TrainingJob", AGAIN)["conditions"] if c["type"] == "Stalled"
    )
    assert (stalled["status"], stalled["reason"]) == ("True", "NotReproducible")
    assert words in stalled["message"]
    assert [event.reason for event in w.events].count("NotReproducible") == 1


def test_a_version_that_comes_later_is_made_again_then():
    w = world(reproduces="churn-v2")
    w.settle(AGAIN)
    assert "no ModelVersion churn-v2" in str(w.status("TrainingJob", AGAIN)["conditions"])
    w.objects[("TrainingJob", AGAIN)]["spec"]["reproduces"] = "churn-v1"
    w.settle(AGAIN)
    assert config(w)["reproduces"]["name"] == "churn-v1"
