"""The example of features and model tests does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pawl.artifacts.runs import RunResult

EXAMPLE = Path(__file__).parents[3] / "manifests/examples/features"


def test_all_its_gates_pass(breast_cancer: Path, pod: Any) -> None:
    spec = yaml.safe_load((EXAMPLE / "trainingjob.yaml").read_text())["spec"]
    spec["data"]["uri"] = breast_cancer.as_uri()
    spec["evaluation"]["tests"]["uri"] = (EXAMPLE / "model-tests.jsonl").as_uri()
    result: RunResult = pod(spec).all()
    verdicts = {gate.metric: gate.verdict for gate in result.gates}
    assert verdicts.pop("failed_model_tests") == "Pass", result.gates[-1].message
    assert set(verdicts.values()) == {"Pass"}
    assert [tensor.name for tensor in result.signature.inputs] == [
        "mean area", "worst area", "mean radius", "mean smoothness", "worst texture",
    ]  # fmt: skip
