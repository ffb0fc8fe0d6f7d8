"""A TrainingJob in a queue, with the test in the part of Kueue: it admits, evicts, admits again."""

from __future__ import annotations

from typing import Any

import recipes
from harness import Space, condition, eventually

QUEUE = "kueue.x-k8s.io/queue-name"
PODS = "pawl.dev/training-job=queued"
PLACE = {"kubernetes.io/os": "linux"}


def submit(space: Space, **changes: Any) -> None:
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create(
        "TrainingJob", "queued", recipes.sklearn_job(uri, **changes), labels={QUEUE: "team-a"}
    )
    space.until("TrainingJob", "queued", lambda s: s.get("phase") == "Queued")


def job(space: Space) -> dict[str, Any]:
    (found,) = space.list("Job", PODS)
    return found


def admit(space: Space) -> None:
    change = {"suspend": False, "template": {"spec": {"nodeSelector": PLACE}}}
    space.patch("Job", job(space)["metadata"]["name"], change)


def evict(space: Space) -> None:
    space.patch("Job", job(space)["metadata"]["name"], {"suspend": True})


def test_kueue_admits_evicts_and_admits_again(space: Space):
    submit(space)
    assert job(space)["metadata"]["labels"][QUEUE] == "team-a"
    said = condition(space.status("TrainingJob", "queued"), "Suspended")
    assert (said["reason"], "team-a" in said["message"]) == ("WaitsForKueue", True)
    assert space.list("Pod", PODS) == []
    admit(space)
    eventually(lambda: bool(space.list("Pod", PODS)), "a pod")
    assert space.list("Pod", PODS)[0]["spec"]["nodeSelector"] == PLACE
    evict(space)
    space.until("TrainingJob", "queued", lambda s: s.get("phase") == "Queued")
    eventually(lambda: space.list("Pod", PODS) == [], "no pods")
    assert "startTime" not in job(space)["status"]
    admit(space)
    space.trained("queued")
    assert job(space)["status"].get("failed", 0) == 0


def test_a_suspended_training_job_is_in_no_queue(space: Space):
    submit(space)
    before = job(space)["metadata"]["uid"]
    space.patch("TrainingJob", "queued", {"suspend": True})
    eventually(lambda: space.list("Job", PODS) == [], "no Job")
    space.until("TrainingJob", "queued", lambda s: s.get("phase") == "Suspended")
    space.patch("TrainingJob", "queued", {"suspend": False})
    space.until("TrainingJob", "queued", lambda s: s.get("phase") == "Queued")
    assert job(space)["metadata"]["uid"] != before
    assert space.status("TrainingJob", "queued")["run"]["number"] == 1
