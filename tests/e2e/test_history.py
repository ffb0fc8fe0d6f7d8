"""How many runs of the past are kept."""

from __future__ import annotations

from typing import Any

import recipes
from harness import Space


def _runs(status: dict[str, Any]) -> list[int]:
    return [run["number"] for run in status.get("runs", ())]


def test_no_more_runs_are_remembered_than_the_limits_say(space: Space):
    uri = space.put("cancer.parquet", recipes.cancer())
    wrong = [f"pvc://data/nowhere-{number}.parquet" for number in range(3)]
    limits = {"successfulRunsHistoryLimit": 1, "failedRunsHistoryLimit": 2}
    space.create("TrainingJob", "job", recipes.sklearn_job(uri, **limits))
    space.trained("job")
    for number, place in enumerate(wrong, start=2):
        space.patch("TrainingJob", "job", {"data": {"uri": place}})
        space.until(
            "TrainingJob",
            "job",
            lambda s, n=number: (s["run"]["number"], s["run"]["phase"]) == (n, "Failed"),
        )
    assert _runs(space.status("TrainingJob", "job")) == [3, 2, 1]
    space.patch("TrainingJob", "job", {"failedRunsHistoryLimit": 1})
    space.until("TrainingJob", "job", lambda s: _runs(s) == [3, 1])
    space.patch("TrainingJob", "job", {"successfulRunsHistoryLimit": 0})
    space.until("TrainingJob", "job", lambda s: _runs(s) == [3])
    (job,) = space.list("Job")  # those of runs of the past are gone
    assert job["metadata"]["labels"]["pawl.dev/run"] == "4"
