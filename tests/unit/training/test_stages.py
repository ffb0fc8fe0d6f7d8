"""The entry point: wrong environments, wrong recipes, and messages that fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import run_config

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.runs import RunConfig, Termination
from pawl.errors import UserError
from pawl.training.stages import fitting, parse_spec, run_stage

SPEC: dict[str, Any] = {
    "model": "m",
    "data": {"uri": "file:///d.csv", "task": "regression", "target": "y"},
    "trainer": {"sklearn": {"estimator": "sklearn.linear_model.Ridge"}},
}


def _config(**changes: Any) -> RunConfig:
    return run_config(Path("/s"), spec=SPEC | changes)


@given(
    st.text(max_size=2000),
    st.lists(st.text(max_size=300), max_size=20),
    st.sampled_from([None, "runs/x/result.json"]),
)
def test_every_message_fits_and_is_readable(
    message: str, warnings: list[str], result: str | None
) -> None:
    record = Termination(
        stage="publish", message=message, warnings=tuple(warnings), result=result, digest="d" * 71
    )
    data = fitting(record)
    assert len(data) <= 1024
    again = Termination.model_validate_json(data)
    assert (again.result, again.digest) == (result, "d" * 71)


@pytest.mark.parametrize("stage", ["publish", "score"])
def test_of_several_workers_the_first_alone_publishes(stage: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = tmp_path / "run.json"
    run.write_bytes(canonical_json(_config()))
    env = {
        "PAWL_TERMINATION_LOG": str(log),
        "PAWL_RUN_CONFIG": str(run),
        "PAWL_WORK_DIR": str(tmp_path),
        "JOB_COMPLETION_INDEX": "1",
    }
    assert run_stage(stage, env) == 0
    assert "worker 0" in Termination.model_validate_json(log.read_bytes()).message
    assert run_stage(stage, env | {"JOB_COMPLETION_INDEX": "0"}) != 0  # it begins: nothing is there


def test_a_short_message_is_kept_whole() -> None:
    record = Termination(stage="train", message="all is well", warnings=("but",))
    assert Termination.model_validate_json(fitting(record)) == record


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": "x"}, r"spec\.seed: "),
        ({"trainer": {}}, "exactly one of sklearn and container"),
        ({"evaluation": {"metrics": ["roc_auc"]}}, 'metric "roc_auc" fits binary, not regression'),
        (
            {"evaluation": {"gates": [{"metric": "recall", "min": 0.5}]}},
            'metric "recall" fits binary',
        ),
    ],
)
def test_a_wrong_recipe_is_told(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_spec(_config(**changes))


def _run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[3] / "operator")
    return subprocess.run(
        [sys.executable, "-m", "pawl.training", *arguments],
        env={"PYTHONPATH": source, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_unknown_stage_is_a_usage_error() -> None:
    done = _run("deploy", env={})
    assert (done.returncode, done.stderr) == (
        2,
        "usage: python -m pawl.training fetch|prepare|train|score|publish|digest|checkpoints\n",
    )


def test_an_environment_without_a_configuration_is_told(tmp_path: Path) -> None:
    path = tmp_path / "termination"
    done = _run("prepare", env={"PAWL_TERMINATION_LOG": str(path)})
    assert done.returncode == 10
    assert json.loads(path.read_text())["message"] == (
        "the environment variable PAWL_RUN_CONFIG is not set"
    )
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["level"], line["stage"]) == ("error", "prepare")


def test_prepare_and_publish_start_without_scikit_learn() -> None:
    """It alone would cost a second or two of every run."""
    code = (
        "import sys, pawl.training.stages, pawl.training.prepare, pawl.training.publish;"
        "print(sorted({'sklearn', 'pandas', 'scipy', 'skl2onnx', 'fsspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
