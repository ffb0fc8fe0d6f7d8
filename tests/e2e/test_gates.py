"""Gates that look at slices, groups and the artifact, as they stand on the version."""

from __future__ import annotations

from typing import Any

import numpy as np
import recipes
from harness import Space


def columns() -> dict[str, Any]:
    """Rows of ward b are told at random, so nobody can be good at them."""
    table = recipes.mixed()
    rng = np.random.default_rng(4)
    ward = rng.choice(["a", "b"], 1500, p=[0.6, 0.4])
    coin = rng.choice(["yes", "no"], 1500)
    told = np.where(ward == "b", coin, np.asarray(table["churned"]))
    return table | {"ward": ward.tolist(), "churned": told.tolist()}


def test_a_slice_that_is_bad_rejects_a_version_that_is_good_as_a_whole(space: Space):
    uri = space.put("wards.parquet", columns())
    gates = [
        {"metric": "roc_auc", "min": 0.55},
        {"metric": "roc_auc", "min": 0.7, "slice": {"column": "ward", "minRows": 50}},
        {
            "fairness": "demographic_parity_difference",
            "attribute": "ward",
            "max": 0.5,
            "required": False,
        },
        {"calibration": {"max": 0.5}},
        {"sizeBytes": {"max": 10_000_000}},
        {"latencyMillis": {"max": 60_000}},
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
    decided = (space.get("ModelVersion", version) or {})["spec"]["gates"]
    told = {gate["metric"]: gate for gate in decided[2:]}  # after the dummy and the whole
    assert {name: gate["verdict"] for name, gate in told.items()} == {
        "roc_auc": "Fail",
        "demographic_parity_difference": "Pass",
        "calibration_error": "Pass",
        "size_bytes": "Pass",
        "latency_millis": "Pass",
    }
    slices = told["roc_auc"]["slices"]
    assert [(part["name"], part["verdict"]) for part in slices] == [("b", "Fail"), ("a", "Pass")]
    space.until("ModelVersion", version, lambda s: s.get("stage") == "Rejected")
    assert "where ward is b" in space.told("wards", "GateFail")
