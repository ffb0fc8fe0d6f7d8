"""Gates that look at slices, groups and the artifact, as they stand on the version."""

from __future__ import annotations

from typing import Any

import numpy as np
import recipes
from harness import Space


def columns() -> dict[str, Any]:
    """Rows of ward b are told at random, so nobody can be good at them; the site is a number that
    gives the ward away."""
    table = recipes.mixed()
    rng = np.random.default_rng(4)
    ward = rng.choice(["a", "b"], 1500, p=[0.6, 0.4])
    coin = rng.choice(["yes", "no"], 1500)
    told = np.where(ward == "b", coin, np.asarray(table["churned"]))
    site = (ward == "b") + rng.normal(0, 0.2, 1500)
    dear = np.where(table["monthly"] > 50, "yes", "no")
    groups = {"ward": ward.tolist(), "site": site, "dear": dear.tolist()}
    return table | groups | {"churned": told.tolist()}


def test_a_slice_that_is_bad_rejects_a_version_that_is_good_as_a_whole(space: Space):
    uri = space.put("wards.parquet", columns())
    gap = {"fairness": "demographic_parity_difference", "required": False}
    gates: list[dict[str, Any]] = [
        {"metric": "roc_auc", "min": 0.55},
        {"metric": "roc_auc", "min": 0.7, "slice": {"column": "ward", "minRows": 50}},
        {**gap, "attribute": "ward", "max": 0.5},
        {**gap, "attribute": "dear", "max": 0.05},
        {"calibration": {"max": 0.5}},
        {"proxy": {"column": "ward", "max": 0.7}, "required": False},
        {"sizeBytes": {"max": 10_000_000}},
        {"sizeBytes": {"max": 100}, "required": False},
        {"latencyMillis": {"max": 60_000}},
        {"latencyMillis": {"max": 0.0001}, "required": False},
    ]
    spec = {
        "model": "wards",
        "data": {
            "uri": uri,
            "task": "binary",
            "target": "churned",
            "positiveLabel": "yes",
            "idColumns": ["customer"],
            "sensitive": ["ward"],
        },
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
        "evaluation": {"gates": gates},
    }
    space.create("TrainingJob", "wards", spec)
    version = space.trained("wards")
    decided = (space.get("ModelVersion", version) or {})["spec"]["gates"][2:]
    assert [(gate["metric"], gate["verdict"]) for gate in decided] == [  # after dummy and whole
        ("roc_auc", "Fail"),
        ("demographic_parity_difference", "Pass"),
        ("demographic_parity_difference", "Fail"),
        ("calibration_error", "Pass"),
        ("proxy", "Fail"),
        ("size_bytes", "Pass"),
        ("size_bytes", "Fail"),
        ("latency_millis", "Pass"),
        ("latency_millis", "Fail"),
    ]
    slices = [(part["name"], part["verdict"]) for part in decided[0]["slices"]]
    assert slices == [("b", "Fail"), ("a", "Pass")]
    space.until("ModelVersion", version, lambda s: s.get("stage") == "Rejected")
    assert "where ward is b" in space.told("wards", "GateFail")
