"""Labels of several annotators: a target by majority, a limit, and the rows that are in dispute."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import recipes
from harness import Space, condition

ANNOTATORS = ["anna", "bo", "cy"]


def annotated(space: Space, kappa: float) -> dict[str, Any]:
    """A spec on labels of three, of whom each is wrong in 5 % of the rows."""
    rows, rng = recipes.cancer(), np.random.default_rng(2)
    truth = np.array(rows.pop("diagnosis"))
    other = np.where(truth == "benign", "malignant", "benign")
    rows |= {name: np.where(rng.random(569) < 0.05, other, truth).tolist() for name in ANNOTATORS}
    job = recipes.sklearn_job(space.put("annotated.parquet", rows))
    job["data"]["labels"] = {"annotators": ANNOTATORS, "aggregate": "majority", "minKappa": kappa}
    return job


def test_what_most_say_is_learnt_and_too_little_agreement_ends_the_run(space: Space):
    space.create("TrainingJob", "agreed", annotated(space, 0.7))
    version = space.trained("agreed")
    spec = (space.get("ModelVersion", version) or {})["spec"]
    assert {tensor["name"] for tensor in spec["signature"]["inputs"]} == set(recipes.FEATURES)
    assert spec["metrics"]["roc_auc"] > 0.9
    agreement = json.loads((space.bundle(version) / "metrics.json").read_bytes())["agreement"]
    assert 0.7 < agreement["interval"][0] < agreement["kappa"] < 0.9
    assert "Fleiss' kappa" in (space.bundle(version) / "card.md").read_text()

    space.create("TrainingJob", "disputed", annotated(space, 0.95))
    failed = condition(space.finished("disputed"), "Failed")
    assert failed["reason"] == "CheckFailed", failed
    assert "must be at least 0.95 (minKappa)" in failed["message"]
    listed = space.cluster.store / failed["message"].rpartition(" ")[2]
    rows = [json.loads(line) for line in listed.read_text().splitlines()]
    assert rows[0]["ids"] == {"patient": f"p{rows[0]['row'] - 1}"}
    assert all(len(set(row["labels"].values())) == 2 for row in rows)
