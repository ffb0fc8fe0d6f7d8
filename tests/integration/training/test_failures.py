"""What goes wrong ends with a sentence for the user, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pawl import constants
from pawl.artifacts.retry import Retry
from pawl.artifacts.runs import Termination

USER, STORE = constants.EXIT_USER_ERROR, constants.EXIT_STORE_UNREACHABLE


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        pytest.param(
            {"uri": "file:///nowhere/data.parquet"}, "DataNotFound", "does not exist", id="no data"
        ),
        pytest.param(
            {"target": "diagnoses"},
            "ColumnNotFound",
            'column "diagnoses" (data.target) is not in the data; did you mean "diagnosis"?',
            id="wrong column",
        ),
        pytest.param(
            {"positiveLabel": "maligne"},
            "InvalidData",
            '"maligne" does not occur in column "diagnosis"; there are: benign, malignant',
            id="wrong label",
        ),
        pytest.param(
            {"target": "mean radius", "positiveLabel": None},
            "InvalidData",
            "task binary needs two",
            id="no classes",
        ),
        pytest.param(
            {"checks": [{"minRows": 1000}]}, "CheckFailed", "569 rows, at least 1,000", id="rows"
        ),
        pytest.param(
            {"checks": [{"column": "mean radius", "max": 25}]},
            "CheckFailed",
            'column "mean radius": 5 of 569 rows are above 25 (rows 83, 181, 213, 353, 462;',
            id="check",
        ),
        pytest.param({"format": "csv"}, "InvalidData", "not readable as csv", id="format"),
    ],
)
def test_wrong_data_stop_prepare(
    recipe: dict[str, Any], pod: Any, change: dict[str, Any], reason: str, said: str
) -> None:
    recipe["data"] |= change
    mine = pod(recipe)
    lines = mine.stage("prepare", expect=USER)
    assert mine.termination.reason == reason
    assert said in mine.termination.message
    assert "Traceback" not in mine.termination.message
    assert "Traceback" in lines[-1]["traceback"]


@pytest.mark.parametrize(
    ("trainer", "reason", "said"),
    [
        pytest.param(
            {"estimator": "os.system"}, "EstimatorNotAllowed", "os.system is not allowed", id="os"
        ),
        pytest.param(
            {"estimator": "sklearn.linear_model.LogisticRegresion"},
            "EstimatorNotFound",
            'did you mean "LogisticRegression"?',
            id="misspelt",
        ),
        pytest.param(
            {"estimator": "sklearn.linear_model.Ridge"}, "InvalidInput", "no classifier", id="task"
        ),
        pytest.param(
            {"estimator": "sklearn.svm.LinearSVC"},
            "InvalidInput",
            "sklearn.calibration.CalibratedClassifierCV",
            id="no probabilities",
        ),
        pytest.param(
            {"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"c": 1}},
            "InvalidParameter",
            'LogisticRegression has no parameter "c"; it has: ',
            id="unknown parameter",
        ),
        pytest.param(
            {"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"C": -1}},
            "InvalidParameter",
            "The 'C' parameter of LogisticRegression must be a float in the range (0",
            id="wrong value",
        ),
        pytest.param(
            {"estimator": "sklearn.svm.SVC"},
            "InvalidInput",
            "SVC gives no probabilities with these parameters",
            id="no probabilities after all",
        ),
        pytest.param(
            {
                "estimator": "sklearn.linear_model.LogisticRegression",
                "parameters": {"penalty": "l1", "solver": "lbfgs"},
            },
            "FitFailed",
            "LogisticRegression cannot be fitted",
            id="contradiction",
        ),
    ],
)
def test_a_wrong_trainer_stops_train(
    recipe: dict[str, Any], pod: Any, trainer: dict[str, Any], reason: str, said: str
) -> None:
    recipe["trainer"] = {"sklearn": trainer}
    mine = pod(recipe)
    mine.stage("prepare")
    mine.stage("train", expect=USER)
    assert mine.termination.reason == reason
    assert said in mine.termination.message


def test_a_metric_that_does_not_fit_is_refused(recipe: dict[str, Any], pod: Any) -> None:
    recipe["evaluation"] = {"metrics": ["rmse"]}
    mine = pod(recipe)
    mine.stage("prepare", expect=USER)
    assert 'metric "rmse" fits regression, not binary' in mine.termination.message


def test_a_failed_gate_is_a_verdict_and_no_failure(recipe: dict[str, Any], pod: Any) -> None:
    recipe["evaluation"] = {"gates": [{"metric": "roc_auc", "min": 0.9999}]}
    mine = pod(recipe)
    dummy, gate = mine.all().gates
    assert (dummy.verdict, gate.verdict, gate.limit) == ("Pass", "Fail", 0.9999)
    assert "below the limit min 0.9999" in mine.termination.message
    assert mine.termination.reason == "Completed"


def test_an_unreachable_store_is_tried_again_by_the_job(
    recipe: dict[str, Any], pod: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's folder is a file: nothing can be written until that is put right."""
    monkeypatch.setattr("pawl.training.publish.PATIENT", Retry(attempts=2))
    mine = pod(recipe)
    mine.stage("prepare")
    mine.stage("train")
    blocked = tmp_path / "store"
    blocked.write_text("in the way")
    mine.stage("publish", expect=STORE)
    assert mine.termination.reason == "StoreUnreachable"
    assert "no answer after 2 tries" in mine.termination.message
    blocked.unlink()
    mine.stage("publish")
    assert mine.result().metrics["roc_auc"] > 0.9


def test_a_stage_out_of_order_says_so(recipe: dict[str, Any], pod: Any) -> None:
    mine = pod(recipe)
    mine.stage("publish", expect=1)
    assert mine.termination.reason == "StageOrder"


def test_credentials_are_told_to_nobody(recipe: dict[str, Any], pod: Any) -> None:
    recipe["data"]["uri"] = "https://me:hunter2@127.0.0.1:1/data.csv?X-Amz-Signature=abc123"
    mine = pod(recipe)
    lines = json.dumps(mine.stage("prepare", expect=USER))
    everything = lines + mine.termination.model_dump_json()
    assert "hunter2" not in everything
    assert "abc123" not in everything


def test_out_of_memory_is_told(
    recipe: dict[str, Any], pod: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("pawl.training.prepare.prepare", exhausted)
    mine = pod(recipe)
    mine.stage("prepare", expect=1)
    assert mine.termination.reason == "OutOfMemory"
    assert "resources.limits.memory" in mine.termination.message


def test_the_termination_message_fits_into_a_kibibyte(
    recipe: dict[str, Any], pod: Any, breast_cancer: Path, tmp_path: Path
) -> None:
    table = pq.read_table(breast_cancer)
    for i in range(30):  # thirty leaks, thirty warnings
        table = table.append_column(f"copy {i} of the diagnosis", table.column("diagnosis"))
    path = tmp_path / "leaky.parquet"
    pq.write_table(table, path)
    recipe["data"]["uri"] = path.as_uri()
    mine = pod(recipe)
    mine.stage("prepare")
    raw = (mine.root / "termination").read_bytes()
    assert len(raw) <= 1024
    assert "alone predicts the target" in Termination.model_validate_json(raw).warnings[0]


def test_a_stopped_stage_leaves_a_message(recipe: dict[str, Any], pod: Any) -> None:
    """SIGTERM while the stage waits for data from a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        recipe["data"]["uri"] = f"{address}data.csv"
        mine = pod(recipe)
        with subprocess.Popen(
            [sys.executable, "-m", "pawl.training", "prepare"],
            env=mine.environment() | {"PAWL_NAMESPACE_URIS": json.dumps([address])},
            stdout=subprocess.PIPE,
        ) as process:
            silent.settimeout(60)
            asked, _ = silent.accept()
            with asked:
                process.terminate()
                assert process.wait(30) == 143
    assert mine.termination.reason == "Stopped"
    assert "a deadline, an eviction" in mine.termination.message
