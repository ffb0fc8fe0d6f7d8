"""Runs are recorded at an MLflow server, which is down at first; the training does not wait."""

from __future__ import annotations

import sys
from pathlib import Path

import recipes
from harness import Space, condition, eventually

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from mlflow_double import mlflow_double


def test_training_goes_on_without_mlflow_and_the_gap_is_filled(space: Space):
    space.cluster.kubectl(
        "create", "secret", "generic", "pawl-mlflow", "-n", space.name, "--from-literal=token=t0"
    )
    uri = space.put("cancer.parquet", recipes.cancer())
    with mlflow_double(space.cluster.host) as server:
        server.down = True
        mlflow = {"uri": server.uri, "secretName": "pawl-mlflow"}
        search = {
            "algorithm": "random",
            "objectives": [{"metric": "log_loss"}],
            "maxTrials": 2,
            "parameters": [{"name": "C", "type": "double", "min": 0.1, "max": 1}],
        }
        job = recipes.sklearn_job(uri, tracking={"mlflow": mlflow}, search=search)
        space.create("TrainingJob", "job", job)
        assert space.trained("job") == "cancer-v1"
        assert "it answers 503" in space.told("job", "NotTracked")
        server.down = False
        status = space.until(
            "TrainingJob", "job", lambda s: condition(s, "Tracked")["status"] == "True"
        )
        model = f"{space.name}.cancer"
        eventually(lambda: server.aliases == {(model, "champion"): "1"}, "the champion's alias")
        (run,) = server.runs()
        assert status["tracking"] == {"run": run["run_id"], "version": "1"}
        assert (run["status"], set(run["metrics"])) == ("FINISHED", {"roc_auc", "log_loss"})
        assert len(server.nested(run["run_id"])) == 2
        assert {Path(name).name for name in server.files} == {"card.md", "metrics.json"}
        assert {authorization for _, authorization in server.asked} == {"Bearer t0"}
