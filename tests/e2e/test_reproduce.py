"""A version is trained again, by command; and refused when its data are not there any more."""

from __future__ import annotations

import recipes
from harness import Space
from trial import pawl


def test_a_version_is_made_again_bit_by_bit_and_its_lineage_drawn(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    search = {
        "algorithm": "random",
        "objectives": [{"metric": "log_loss"}],
        "maxTrials": 2,
        "parameters": [{"name": "max_iter", "type": "int", "min": 5, "max": 20}],
    }
    estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
    job = recipes.sklearn_job(uri, estimator, search=search, seed=3)
    space.create("TrainingJob", "job", job)
    version = space.trained("job")
    where = (f"mv/{version}", "-n", space.name)
    assert "is reproduced: all" in pawl(space.cluster, "reproduce", *where)
    status = space.status("TrainingJob", f"{version}-repro")
    assert {file["name"]: file["same"] for file in status["files"]}["model.onnx"]
    assert [item["metadata"]["name"] for item in space.list("ModelVersion")] == [version]

    drawn = pawl(space.cluster, "lineage", *where)
    assert f"mv/{version}" in drawn
    assert "random: trial" in drawn

    space.put("cancer.parquet", {name: column[:-1] for name, column in rows.items()})
    again = ("reproduce", *where, "--name", "changed")
    assert "the data have changed since" in pawl(space.cluster, *again, fails=2)
