"""What training publishes, served: the answers are those of the model that was trained."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.runs import RunConfig, RunResult
from pawl.serving.dataplane import Served
from pawl.serving.loading import load_once
from pawl.serving.protocol import parse_infer
from pawl.serving.settings import Settings
from pawl.training.stages import run_stage

ROWS = 900


def customers(path: Path) -> Path:
    """Numbers, a boolean and a category, with missing values."""
    rng = np.random.default_rng(3)
    tenure = rng.gamma(2.0, 12.0, ROWS)
    monthly = rng.normal(60, 20, ROWS)
    plan = rng.choice(["basic", "pro", "max"], ROWS)
    autopay = rng.random(ROWS) < 0.5
    score = 0.03 * monthly - 0.05 * tenure + (plan == "basic") - 0.7 * autopay
    churned = rng.random(ROWS) < 1 / (1 + np.exp(-score))
    missing = rng.random(ROWS) < 0.05
    table = pa.table(
        {
            "customer": [f"c{i}" for i in range(ROWS)],
            "tenure": tenure,
            "monthly": pa.array(monthly, mask=missing),
            "plan": pa.array(plan.tolist(), mask=rng.random(ROWS) < 0.05),
            "autopay": autopay,
            "churned": np.where(churned, "yes", "no").tolist(),
        }
    )
    pq.write_table(table, path)
    return path


def trained(folder: Path, trainer: dict[str, Any], task: str) -> RunResult:
    """Runs the stages of a training pod."""
    data: dict[str, Any] = {
        "uri": customers(folder / "customers.parquet").as_uri(),
        "task": task,
        "idColumns": ["customer"],
    }
    if task == "regression":
        data |= {"target": "monthly", "features": ["tenure", "plan", "autopay"]}
        data["uri"] = _without_missing_target(Path(folder / "customers.parquet")).as_uri()
    else:
        data |= {"target": "churned", "positiveLabel": "yes"}
    config = RunConfig(
        name="job", namespace="team", uid="u-1", run=1, model="churn",
        started_at="2026-11-21T12:00:00Z",
        spec={"model": "churn", "data": data, "trainer": {"sklearn": trainer}, "seed": 1},
        recipe_digest="sha256:" + "0" * 64, store=(folder / "store").as_uri(), image="test",
    )  # fmt: skip
    (folder / "run.json").write_text(config.model_dump_json(by_alias=True))
    env = {
        "PAWL_RUN_CONFIG": str(folder / "run.json"),
        "PAWL_WORK_DIR": str(folder / "work"),
        "PAWL_DATA_DIR": str(folder / "work/data"),
        "PAWL_PARAMETERS": str(folder / "work/parameters.json"),
        "PAWL_OUTPUT_DIR": str(folder / "work/output"),
        "PAWL_SEED": "1",
        "PAWL_TERMINATION_LOG": str(folder / "termination"),
    }
    (folder / "work").mkdir()
    handlers = logging.root.handlers[:]
    try:
        for stage in ("prepare", "train", "publish"):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = run_stage(stage, env)  # type: ignore[arg-type]
            assert code == 0, out.getvalue()
    finally:
        logging.captureWarnings(False)
        logging.root.handlers[:] = handlers
    return RunResult.model_validate_json((folder / "store/runs/u-1-1/result.json").read_bytes())


def _without_missing_target(path: Path) -> Path:
    table = pq.read_table(path)
    pq.write_table(table.filter(pc.is_valid(table["monthly"])), path)
    return path


def served(result: RunResult, folder: Path) -> Served:
    return load_once(
        Settings(
            model="churn",
            version="1",
            artifact_uri=result.artifact.uri,
            artifact_digest=result.artifact.digest,
            work_dir=folder / "serve",
        )
    )


def answers(model: Served, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The outputs for rows that are sent column by column."""
    inputs = []
    for tensor in model.signature.inputs:
        data = [row[tensor.name] for row in rows]
        inputs.append(
            {"name": tensor.name, "datatype": tensor.datatype, "shape": [len(rows)], "data": data}
        )
    decoded = model.codec.decode(parse_infer(json.dumps({"inputs": inputs}).encode()))
    columns, _, _ = model.codec.render(model.engine.run(decoded.feed), len(rows))
    return {column.name: column.data for column in columns}


@pytest.fixture(
    params=[
        pytest.param(
            ("onnx", {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}), id="onnx"
        ),
        pytest.param(
            (
                "skops",
                {
                    "estimator": "sklearn.calibration.CalibratedClassifierCV",
                    "parameters": {"method": "isotonic"},
                },
            ),
            id="skops",
        ),
    ]
)
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_trained_classifier_answers_with_its_probabilities(case: Any, tmp_path: Path) -> None:
    format_, trainer = case
    result = trained(tmp_path, trainer, "binary")
    model = served(result, tmp_path)
    assert model.engine.name == format_ == result.format
    rows = [
        {"tenure": 3.0, "monthly": 90.5, "plan": "basic", "autopay": False},
        {"tenure": 60.0, "monthly": None, "plan": None, "autopay": True},
        {"tenure": 20.0, "monthly": 55.0, "plan": "never seen", "autopay": True},
    ]
    found = answers(model, rows)
    scores = np.array(found["probabilities"]).reshape(-1, 2)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert scores[0, 1] > scores[1, 1], "a new customer with a basic plan leaves sooner"
    threshold = model.signature.threshold or 0.5
    assert model.signature.classes[1] == "yes"
    assert found["label"] == ["yes" if score >= threshold else "no" for score in scores[:, 1]]
    one_by_one = [answers(model, [row])["probabilities"] for row in rows]
    np.testing.assert_allclose(np.ravel(one_by_one), scores.ravel(), rtol=1e-6)


def test_a_trained_regression_answers_with_numbers(tmp_path: Path) -> None:
    trainer = {"estimator": "sklearn.linear_model.Ridge"}
    model = served(trained(tmp_path, trainer, "regression"), tmp_path)
    found = answers(model, [{"tenure": 3.0, "plan": "pro", "autopay": False}])
    assert 20 < found["prediction"][0] < 100


def test_the_plain_server_image_says_which_image_a_skops_model_needs(tmp_path: Path) -> None:
    trainer = {"estimator": "sklearn.calibration.CalibratedClassifierCV"}
    trainer["parameters"] = {"method": "isotonic"}  # type: ignore[assignment]
    result = trained(tmp_path, trainer, "binary")
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['pandas'] = None\n"
        "from pathlib import Path; from pawl.serving.loading import load_once\n"
        "from pawl.serving.settings import Settings\n"
        f"load_once(Settings('churn', '1', {result.artifact.uri!r}, {result.artifact.digest!r}, "
        f"Path({str(tmp_path / 'serve')!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "serve it with the server-sklearn image" in done.stderr
