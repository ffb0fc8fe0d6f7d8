"""From raw rows to the model: preparation, derived features, and the model tests of both ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from harness import Space, columns_body, infer

from pawl.artifacts.bundle import MANIFEST, TESTS, manifest_of
from pawl.artifacts.canonical import canonical_json, file_digest
from pawl.artifacts.derivation import Derivation
from pawl.checklist import parse

#: Its model answers with its only feature: what the server computes can be read.
TRAIN = """
import os, onnx
from onnx import TensorProto, helper
double = TensorProto.DOUBLE
graph = helper.make_graph(
    [helper.make_node("Identity", ["numeric"], ["prediction"])], "feature",
    [helper.make_tensor_value_info("numeric", double, ["rows", 1])],
    [helper.make_tensor_value_info("prediction", double, ["rows", 1])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, os.environ["PAWL_OUTPUT_DIR"] + "/model.onnx")
"""
#: Pounds become kilograms.
CONVERT = """
import os, pyarrow.compute as pc, pyarrow.parquet as pq
rows = pq.read_table(os.environ["PAWL_DATA_DIR"] + "/rows.parquet")
rows = rows.append_column("weight", pc.multiply(rows["pounds"], 0.45359237))
pq.write_table(rows.drop_columns("pounds"), os.environ["PAWL_OUTPUT_DIR"] + "/rows.parquet")
"""
DERIVED = [
    {"name": "bmi", "expression": "weight / (height * height)"},
    {"name": "z", "expression": "(log(bmi) - fitted.mean(bmi)) / fitted.std(bmi) + hour(at) / 24"},
]
ROW = {"height": 1.73, "weight": 71.3, "at": "2026-11-26T19:30:00Z"}
CASES = [
    {"name": "weight", "type": "directional", "input": ROW, "change": {"weight": 90},
     "expect": "notLower"},
    {"name": "zone", "type": "invariance", "input": ROW,
     "change": {"at": "2026-11-26T21:30:00+02:00"}},
]  # fmt: skip
WRONG = {"name": "height", "type": "invariance", "input": ROW, "change": {"height": 2.0}}


def _image(program: str) -> dict[str, Any]:
    return {"image": "pawl/trainer:0.1.0", "command": ["python", "-c"], "args": [program]}


def _visits() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    height, pounds = rng.normal(1.7, 0.1, 400), rng.normal(160, 30, 400)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    at = [start + timedelta(minutes=int(m)) for m in rng.integers(0, 500_000, 400)]
    hours = np.array([moment.hour for moment in at])
    bmi = pounds * 0.45359237 / height**2
    return {
        "visit": [f"v{i}" for i in range(400)],
        "height": height,
        "pounds": pounds,
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "cost": (np.log(bmi) - bmi.mean()) / bmi.std() + hours / 24,
    }


def _spoilt(space: Space, artifact: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """The same bundle with a case that does not hold, as if the server's libraries were others."""
    for path in space.bundle("cost-v1").iterdir():
        (scratch / path.name).write_bytes(path.read_bytes())
    (scratch / TESTS).write_bytes(canonical_json(parse(json.dumps(WRONG).encode())))
    (scratch / MANIFEST).write_bytes(canonical_json(manifest_of(scratch)))
    folder = f"imports/{space.name}/spoilt"
    for path in scratch.iterdir():
        uri = space.cluster.store_file(f"{folder}/{path.name}", path.read_bytes())
    return {**artifact, "uri": uri.rsplit("/", 1)[0], "digest": file_digest(scratch / MANIFEST)}


def test_raw_rows_give_the_features_of_training_bit_for_bit(space: Space, tmp_path: Path):
    uri = space.put("visits.parquet", _visits())
    cases = space.cluster.claim(space.name, "data") / "cases.jsonl"
    cases.write_text("\n".join(map(json.dumps, CASES)))
    cases.chmod(0o644)
    spec = {
        "model": "cost",
        "data": {
            "uri": uri,
            "prepare": {
                "containers": [{"name": "convert", **_image(CONVERT)}],
                "functions": [{"keep": "weight > 40"}],
            },
            "task": "regression",
            "target": "cost",
            "idColumns": ["visit"],
            "timeColumn": "at",
            "derived": DERIVED,
            "features": ["z"],
        },
        "trainer": {"container": _image(TRAIN)},
        "evaluation": {"tests": {"uri": "pvc://data/cases.jsonl"}},
    }
    space.create("TrainingJob", "cost", spec)
    space.create("Deployment", "cost", {"model": "cost"})
    version = space.get("ModelVersion", space.trained("cost")) or {}
    space.serving("cost", "cost-v1")
    step, function = version["spec"]["lineage"]["preparation"]
    assert (step["name"], function) == ("convert", {"name": "keep", "version": 1})
    # an image that came from no registry has no name there, only a digest
    assert "trainer" in step["imageID"] or step["imageID"].startswith("sha256:")
    gates = {gate["metric"]: gate["verdict"] for gate in version["spec"]["gates"]}
    assert gates["failed_model_tests"] == "Pass"

    derived = (space.bundle("cost-v1") / "derived.json").read_bytes()
    fitted = Derivation.model_validate_json(derived).fitted
    bmi = np.array([71.3]) / (np.array([1.73]) * np.array([1.73]))
    wanted = (np.log(bmi) - fitted["mean(bmi)"]) / fitted["std(bmi)"] + 19 / 24
    answer = infer(space.url("cost"), "cost", columns_body(ROW))
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == wanted.tolist()
    refused = infer(space.url("cost"), "cost", columns_body({**ROW, "at": "yesterday"}))
    assert "no time in ISO 8601" in refused.json()["error"]

    scratch = tmp_path / "bundle"
    scratch.mkdir()
    wrong = {
        "model": "cost",
        "version": 2,
        "artifact": _spoilt(space, version["spec"]["artifact"], scratch),
    }
    space.create("ModelVersion", "cost-v2", wrong)
    space.until(
        "Deployment",
        "cost",
        lambda s: "model tests fail here: invariance" in json.dumps(s["conditions"]),
    )
    assert space.status("Deployment", "cost")["stable"]["name"] == "cost-v1"
