"""A version is trained again, by command; and refused when its data are not there any more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import recipes
from harness import Space


def pawl(space: Space, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pawl", *words, "-n", space.name],
        env={**os.environ, "KUBECONFIG": str(space.cluster.kubeconfig)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def test_a_version_is_made_again_bit_by_bit_and_its_lineage_drawn(space: Space):
    if space.cluster.store != space.cluster.store_seen_by_pods:
        pytest.skip("the store is elsewhere for this machine than for the cluster's")
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
    said = pawl(space, "reproduce", f"mv/{version}")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "is reproduced: all" in said.stdout
    status = space.status("TrainingJob", f"{version}-repro")
    assert {file["name"]: file["same"] for file in status["files"]}["model.onnx"]
    assert [item["metadata"]["name"] for item in space.list("ModelVersion")] == [version]

    drawn = pawl(space, "lineage", f"mv/{version}").stdout
    assert f"mv/{version}" in drawn
    assert "random: trial" in drawn

    space.put("cancer.parquet", {name: column[:-1] for name, column in rows.items()})
    said = pawl(space, "reproduce", f"mv/{version}", "--name", "changed")
    assert said.returncode == 2
    assert "the data have changed since" in said.stderr
