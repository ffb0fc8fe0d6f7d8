"""A first `data:` from a sample, what it lets pass and refuses, and what a version then tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import recipes
import yaml
from harness import Space, condition
from trial import pawl

LOW = {"mean radius": 11.0, "mean texture": 14.0, "worst area": 500.0, "ward": "a"}
HIGH = {"mean radius": 22.0, "mean texture": 28.0, "worst area": 2200.0, "ward": "a"}
CASES = [
    {"name": "small", "type": "golden", "input": LOW, "expected": {"label": "benign"}},
    {"name": "large", "type": "golden", "input": HIGH, "expected": {"score": 1}, "tolerance": 0.1},
]


def profiled(space: Space, rows: dict[str, Any]) -> dict[str, Any]:
    """The section that `pawl data profile` prints of these rows, as they are in the claim."""
    uri = space.put("sample.parquet", rows)
    file = space.cluster.claim(space.name, "data") / "sample.parquet"
    said = pawl(space.cluster, "data", "profile", str(file), "--target", "diagnosis")
    data: dict[str, Any] = yaml.safe_load(said)["data"]
    return data | {"uri": uri, "positiveLabel": "malignant"}


def test_a_profile_lets_rows_like_the_sample_pass_and_the_card_tells_of_the_model(
    space: Space, tmp_path: Path
):
    wards = np.random.default_rng(1).choice(["a", "b"], 569).tolist()
    rows = recipes.cancer() | {"ward": wards}
    data = profiled(space, rows)
    assert data["idColumns"] == ["patient"]
    cases = space.cluster.claim(space.name, "data") / "cases.jsonl"
    cases.write_text("\n".join(map(json.dumps, CASES)))
    cases.chmod(0o644)
    gates = [{"metric": "roc_auc", "min": 0.5, "slice": {"column": "ward", "minRows": 30}}]
    evaluation = {"gates": gates, "tests": {"uri": "pvc://data/cases.jsonl"}}
    job = recipes.sklearn_job(data["uri"], data=data, evaluation=evaluation)
    space.create("TrainingJob", "good", job)

    moved = rows | {"mean radius": rows["mean radius"] * 9, "ward": ["c", *wards[1:]]}
    wrong = recipes.sklearn_job("", data=data | {"uri": space.put("moved.parquet", moved)})
    space.create("TrainingJob", "wrong", wrong)
    failed = condition(space.finished("wrong"), "Failed")
    assert failed["reason"] == "CheckFailed", failed
    assert "mean radius" in failed["message"]
    assert "ward" in failed["message"]

    version = space.trained("good")
    spec = (space.get("ModelVersion", version) or {})["spec"]
    verdicts = {gate["metric"]: gate["verdict"] for gate in spec["gates"]}
    assert (verdicts["failed_model_tests"], verdicts["roc_auc"]) == ("Pass", "Pass")
    card = (space.bundle(version) / "card.md").read_text()
    titles = [line.partition(" ")[2] for line in card.splitlines() if line.startswith("## ")]
    assert [title.split()[0] for title in titles] == [
        "Scores", "By", "What", "Data", "Inputs", "Limits", "Lineage"
    ]  # fmt: skip
    assert f"| roc_auc | {spec['metrics']['roc_auc']:.4f} |" in card
    assert "| a |" in card  # a slice
    assert spec["lineage"]["data"]["digest"] in card

    picture = tmp_path / "lineage.html"
    place = ("-n", space.name, "--store", space.cluster.store.as_uri())
    said = pawl(space.cluster, "lineage", f"mv/{version}", *place, "--html", str(picture))
    page = picture.read_text()
    for told in (f"mv/{version}", "tj/good", "sample.parquet", "card.md"):
        assert told in said, said
        assert told in page
