"""Preparation steps in the recipe and in the ModelVersion."""

from __future__ import annotations

from typing import Any

import pytest
from world import run_result, training_job

from pawl.api import preparation
from pawl.api.modelversion import LineageSpec
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import StepLineage
from pawl.core.manifests.modelversion import build_model_version
from pawl.core.recipe import recipe_digest
from pawl.core.run_status import image_ids

STEPS: dict[str, Any] = {
    "containers": [{"name": "clean", "image": "me/clean:1"}],
    "functions": [{"dropDuplicates": {}}],
}


def _job(prepare: dict[str, Any]) -> dict[str, Any]:
    data = {"uri": "s3://lake/x.parquet", "task": "binary", "target": "churned"}
    return training_job(data=data | {"prepare": prepare})


def _spec(prepare: dict[str, Any]) -> TrainingJobSpec:
    return TrainingJobSpec.model_validate(_job(prepare)["spec"])


def test_steps_are_part_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, stepped = recipe_digest(_spec({})), recipe_digest(_spec(STEPS))
    assert plain == recipe_digest(TrainingJobSpec.model_validate(training_job()["spec"]))
    assert stepped != plain
    monkeypatch.setitem(preparation.VERSIONS, "dropDuplicates", 2)
    assert recipe_digest(_spec(STEPS)) != stepped
    assert recipe_digest(_spec({})) == plain


def _pod(name: str, created: str, image_id: str) -> dict[str, Any]:
    status = {"name": "step-clean", "imageID": image_id, "state": {}}
    meta = {"name": name, "creationTimestamp": created}
    return {"metadata": meta, "status": {"initContainerStatuses": [status]}}


def test_the_version_records_what_the_images_of_the_newest_pod_were() -> None:
    pods = [
        _pod("b", "2026-11-26T12:00:00Z", "me/clean@sha256:new"),
        _pod("a", "2026-11-26T11:00:00Z", "me/clean@sha256:old"),
    ]
    lineage = run_result().lineage.model_copy(
        update={
            "preparation": (
                StepLineage(name="clean", image="me/clean:1"),
                StepLineage(name="dropDuplicates", version=1),
            )
        }
    )
    made = build_model_version(
        _job(STEPS), _spec(STEPS), run_result(lineage=lineage), 1, image_ids(pods)
    )
    assert made["spec"]["lineage"]["preparation"] == [
        {"name": "clean", "image": "me/clean:1", "imageID": "me/clean@sha256:new"},
        {"name": "dropDuplicates", "version": 1},
    ]
    LineageSpec.model_validate(made["spec"]["lineage"])


def test_without_pods_the_images_are_those_that_were_asked_for() -> None:
    assert image_ids([]) == {}
