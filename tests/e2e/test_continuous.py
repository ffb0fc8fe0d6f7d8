"""Runs that nobody asks for one by one: by a schedule, and when the data have changed."""

from __future__ import annotations

from typing import Any

import recipes
from harness import Space, eventually


def runs(status: dict[str, Any]) -> list[int]:
    return [status["run"]["number"], *(run["number"] for run in status.get("runs", ()))]


def test_a_schedule_starts_runs_and_unchanged_data_make_no_second_version(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    space.create("TrainingJob", "minutely", recipes.sklearn_job(uri, schedule="* * * * *"))
    version = space.trained("minutely")
    second = space.until(
        "TrainingJob",
        "minutely",
        lambda s: runs(s)[:1] > [1] and s["run"]["phase"] == "Succeeded",
    )
    run = second["run"]
    assert (run["trigger"], run["modelVersion"]) == ("Schedule", version)
    assert run["due"].endswith(":00Z")
    assert second["schedule"]["next"] > run["due"]
    assert "recorded before for the same recipe and data" in run["message"]
    assert len(space.list("ModelVersion")) == 1
    space.patch("TrainingJob", "minutely", {"suspend": True})
    numbers = {job["metadata"]["labels"]["pawl.dev/run"] for job in space.list("Job")}
    assert len(numbers) == 1


def test_changed_data_start_a_run_and_looks_leave_nothing_behind(space: Space):
    columns = recipes.cancer()
    uri = space.put("cancer.parquet", columns)
    spec = recipes.sklearn_job(uri, onDataChange={"interval": "10s"})
    space.create("TrainingJob", "follows", spec)
    first = space.trained("follows")
    known = space.status("TrainingJob", "follows")["dataDigest"]
    space.until("TrainingJob", "follows", lambda s: (s.get("poll") or {}).get("digest") == known)
    seen = space.status("TrainingJob", "follows")["poll"]
    again = space.until("TrainingJob", "follows", lambda s: s["poll"]["number"] > seen["number"])
    assert again["poll"]["validator"] == seen["validator"]
    assert runs(space.status("TrainingJob", "follows")) == [1]
    space.put("cancer.parquet", {name: column[:500] for name, column in columns.items()})
    status = space.until(
        "TrainingJob",
        "follows",
        lambda s: runs(s) == [2, 1] and s["run"]["phase"] == "Succeeded",
    )
    assert status["run"]["trigger"] == "DataChange"
    assert status["dataDigest"] != known
    assert status["modelVersion"] != first
    space.patch("TrainingJob", "follows", {"suspend": True})
    eventually(lambda: not space.list("Job", "pawl.dev/poll"), "no Jobs of looks")
