"""Trainers that are not ours: the example, and files that do or do not keep the contract."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from pawl.api.trainingjob import TrainingJobSpec

EXAMPLE = Path(__file__).parents[3] / "manifests/examples/bring-your-own"


def _run_own(pod: Any, script: Path) -> None:
    contract = ("PATH", "HOME", "PAWL_DATA_DIR", "PAWL_PARAMETERS", "PAWL_OUTPUT_DIR", "PAWL_SEED")
    env = {name: value for name, value in pod.environment().items() if name in contract}
    subprocess.run([sys.executable, str(script)], env=env, check=True, timeout=120)


def test_the_example_trains_without_our_code(pod: Any, breast_cancer: Path) -> None:
    job = yaml.safe_load((EXAMPLE / "trainingjob.yaml").read_text())
    TrainingJobSpec.model_validate(job["spec"])
    job["spec"]["data"]["uri"] = breast_cancer.as_uri()
    mine = pod(job["spec"])
    mine.stage("prepare")
    _run_own(mine, EXAMPLE / "train.py")
    mine.stage("publish")
    result = mine.result()
    assert result.format == "onnx"
    assert [gate.verdict for gate in result.gates] == ["Pass", "Pass"]
    assert result.lineage.parameters["learning_rate"] == 0.5
    assert "import pawl" not in (EXAMPLE / "train.py").read_text()


@pytest.fixture
def prepared(recipe: dict[str, Any], pod: Any) -> Any:
    recipe["trainer"] = {"container": {"image": "mine:1"}}
    mine = pod(recipe)
    mine.stage("prepare")
    return mine


def _linear(name: str, kind: int, out: str, width: int | None) -> bytes:
    """A graph that looks at the first feature, as other frameworks export it."""
    weights = np.zeros((30, 1), dtype=np.float32)
    weights[0] = 1.0
    nodes = [
        helper.make_node("Cast", [name], ["x"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Sub", ["z", "centre"], ["d"]),
        helper.make_node("Sigmoid", ["d"], [out if width == 1 else "p"]),
    ]
    if width is None:
        nodes.append(helper.make_node("Squeeze", ["p", "axis"], [out]))
    shape = [None] if width is None else [None, width]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, [None, 30])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([15.0], np.float32), "centre"),
            numpy_helper.from_array(np.array([1]), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(_linear("input", TensorProto.FLOAT, "output", 1), id="float32, one column"),
        pytest.param(_linear("x_in", TensorProto.DOUBLE, "score", None), id="double, one number"),
        pytest.param(_linear("numeric", TensorProto.FLOAT, "probabilities", 1), id="right names"),
    ],
)
def test_what_frameworks_export_is_adapted(prepared: Any, model: bytes) -> None:
    (prepared.work / "output" / "model.onnx").write_bytes(model)
    prepared.stage("publish")
    assert prepared.result().metrics["roc_auc"] > 0.85


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param({}, "left no model", id="nothing"),
        pytest.param({"model.onnx": b"x", "model.skops": b"x"}, "left both", id="both"),
        pytest.param({"model.onnx": b"nonsense"}, "no valid ONNX file", id="no onnx"),
        pytest.param({"model.skops": b"nonsense"}, "not a readable skops file", id="no skops"),
        pytest.param(
            {"model.onnx": _linear("a", TensorProto.INT64, "b", 1)},
            "takes a; for these features it must take numeric (double)",
            id="wrong input",
        ),
    ],
)
def test_what_cannot_be_served_is_told(prepared: Any, files: dict[str, bytes], said: str) -> None:
    for name, content in files.items():
        (prepared.work / "output" / name).write_bytes(content)
    prepared.stage("publish", expect=10)
    assert said in prepared.termination.message


def test_a_pipeline_of_ones_own_is_converted(
    prepared: Any, recipe: dict[str, Any], pod: Any
) -> None:
    trained = pod(
        {
            **recipe,
            "trainer": {
                "sklearn": {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}
            },
        }
    )
    trained.stage("prepare")
    trained.stage("train")
    shutil.copy(trained.work / "output/model.skops", prepared.work / "output/model.skops")
    prepared.stage("publish")
    assert prepared.result().format == "onnx"
    assert prepared.result().warnings == ()
