"""A cluster that has lost all but the artifact store, and gets its objects from Git again."""

from __future__ import annotations

import json

import recipes
from harness import Space, condition, eventually
from trial import canary, pawl

MODEL = "cancer"
DEPLOYMENT = {"model": MODEL, "replicas": 1, "rollout": {"canary": canary((30, "1h"))}}


def test_what_was_proved_is_served_at_once_and_what_failed_is_not_tried(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    jobs = {f"job-{seed}": recipes.sklearn_job(uri, seed=seed) for seed in (1, 2, 3)}
    space.create("Deployment", MODEL, {"model": MODEL, "replicas": 1})
    for name in ("job-1", "job-2"):
        space.create("TrainingJob", name, jobs[name])
        space.serving(MODEL, space.trained(name))
    space.patch("Deployment", MODEL, DEPLOYMENT)
    space.create("TrainingJob", "job-3", jobs["job-3"])
    assert space.trained("job-3") == "cancer-v3"
    space.until("Deployment", MODEL, lambda s: (s.get("candidate") or {}).get("version") == 3)
    abort = ("abort", f"mdep/{MODEL}", "-n", space.name, "--reason", "it was a joke")
    pawl(space.cluster, *abort)
    space.until("Deployment", MODEL, lambda s: bool(s.get("rolledBack")))
    space.serving(MODEL, "cancer-v2")

    told = pawl(space.cluster, "audit", f"mdep/{MODEL}", "-n", space.name, "-o", "json")
    lines = [json.loads(line) for line in told.splitlines()]
    asked = next(line for line in lines if line.get("command") == "abort")
    assert (asked["by"], asked["reason"]) == ("pawl-cli", "it was a joke")
    assert [x["version"] for x in lines if x.get("reason") == "Promoted"] == [
        "cancer-v1",
        "cancer-v2",
    ]

    space.close()
    space.cluster.kill_operator()
    space.open()
    space.put("cancer.parquet", recipes.cancer())
    space.create("Deployment", MODEL, DEPLOYMENT)
    status = space.serving(MODEL, "cancer-v2")
    assert status["rolledBack"][0]["version"] == "cancer-v3"
    assert status["rolledBack"][0]["reason"] == "Aborted"
    assert [version["metadata"]["name"] for version in space.list("ModelVersion")] == ["cancer-v2"]
    for name, job in jobs.items():
        space.create("TrainingJob", name, job)
    assert [space.trained(name) for name in jobs] == ["cancer-v1", "cancer-v2", "cancer-v3"]
    assert len(space.list("ModelVersion")) == 3
    assert all(
        "recorded before" in condition(space.status("TrainingJob", name), "Complete")["message"]
        for name in jobs
    )
    space.until("ModelVersion", "cancer-v3", lambda s: s.get("stage") == "Candidate")
    assert space.status("ModelVersion", "cancer-v2")["stage"] == "Champion"
    status = space.serving(MODEL, "cancer-v2")
    assert "rollout" not in status
    pawl(space.cluster, "retry", f"mdep/{MODEL}", "-n", space.name, "-m", "mended")
    space.until("Deployment", MODEL, lambda s: (s.get("candidate") or {}).get("version") == 3)
    eventually(lambda: len(space.list("ModelVersion")) == 3, "no other version")
