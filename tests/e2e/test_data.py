"""Data from several sources: joined, checked, compared with the champion's, pinned."""

from __future__ import annotations

from typing import Any

import numpy as np
import recipes
from harness import Space, condition
from trial import pawl


def joined(space: Space, rows: dict[str, Any], *checks: dict[str, Any], **data: Any) -> Any:
    """A spec on these rows, of which one column comes from a second file, in another order."""
    rows = dict(rows)
    areas = {"patient": rows["patient"][::-1], "worst area": rows.pop("worst area")[::-1]}
    job = recipes.sklearn_job(space.put("patients.parquet", rows))
    source = {"name": "areas", "uri": space.put("areas.parquet", areas), "key": ["patient"]}
    job["data"] |= {"sources": [source], "checks": list(checks), **data}
    return job


def test_joined_data_are_checked_and_compared_with_those_of_the_champion(space: Space):
    rows = recipes.cancer()
    unique, limit = {"unique": ["patient"]}, {"column": "worst area", "min": 100}
    space.create("TrainingJob", "good", joined(space, rows, unique, limit))
    version = space.get("ModelVersion", space.trained("good")) or {}
    (source,) = version["spec"]["lineage"]["data"]["sources"]
    assert source["name"] == "areas"
    space.create("Deployment", "cancer", {"model": "cancer"})
    space.serving("cancer", "cancer-v1")

    large = rows["mean radius"] > np.median(rows["mean radius"])
    moved = {name: np.asarray(column)[large] for name, column in rows.items()}
    space.create("TrainingJob", "moved", joined(space, moved, {"maxPsi": 0.25}))
    failed = condition(space.finished("moved"), "Failed")
    assert failed["reason"] == "CheckFailed", failed
    assert "mean radius" in failed["message"]

    twice = {name: np.append(column, column[-1]) for name, column in rows.items()}
    wrong = {"column": "worst area", "max": 500}
    space.create("TrainingJob", "wrong", joined(space, twice, unique, wrong))
    message = condition(space.finished("wrong"), "Failed")["message"]
    assert "patient" in message
    space.delete("TrainingJob", "wrong")
    space.create("TrainingJob", "wrong", joined(space, rows, wrong, {"minRows": 1000}))
    message = condition(space.finished("wrong"), "Failed")["message"]
    assert "worst area" in message
    assert "1,000" in message  # all that fails is told


def test_a_version_of_pinned_data_is_made_again_when_they_are_gone(space: Space):
    rows = recipes.cancer()
    space.create("TrainingJob", "job", joined(space, rows, pin="snapshot"))
    version = space.trained("job")
    fewer = {name: column[:-9] for name, column in rows.items()}
    joined(space, fewer)  # the files are others now
    said = pawl(space.cluster, "reproduce", f"mv/{version}", "-n", space.name)
    assert "is reproduced: all" in said
