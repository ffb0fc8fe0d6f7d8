"""Derived features from the recipe to the server: raw rows give what training saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.runs import RunResult, StoreRef
from pawl.serving.loading import load_once
from pawl.serving.protocol import parse_infer
from pawl.serving.settings import Settings
from pawl.training.parts import load_parts
from pawl.training.workspace import Schema, Workspace, read_record

DERIVED = [
    {"name": "bmi", "expression": "weight / (height * height)"},
    {"name": "z", "expression": "(bmi - fitted.mean(bmi)) / fitted.std(bmi)"},
    {"name": "evening", "expression": "hour(at) >= 18"},
    {"name": "town", "expression": "lower(clinic)"},
]


@pytest.fixture
def visits(tmp_path: Path) -> dict[str, Any]:
    """A recipe for 600 rows, of which the body-mass index and the hour decide."""
    rng = np.random.default_rng(5)
    weight, height = rng.normal(75, 15, 600), rng.normal(1.7, 0.1, 600)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    at = [start + timedelta(minutes=int(m)) for m in rng.integers(0, 500_000, 600)]
    sick = weight / height**2 + 5 * np.array([t.hour >= 18 for t in at]) > 28
    columns = {
        "patient": [f"p{i}" for i in range(600)],
        "weight": weight,
        "height": height,
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "clinic": rng.choice(["North", "SOUTH"], 600),
        "sick": sick.astype(int),
    }
    path = tmp_path / "visits.parquet"
    pq.write_table(pa.table(columns), path)
    return {
        "model": "visits",
        "data": {
            "uri": path.as_uri(),
            "task": "binary",
            "target": "sick",
            "idColumns": ["patient"],
            "timeColumn": "at",
            "derived": list(DERIVED),
            "features": ["z", "evening", "town"],
        },
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
        "evaluation": {"gates": [{"metric": "roc_auc", "min": 0.95}]},
    }


def _body(table: pa.Table, names: list[str]) -> bytes:
    inputs: list[dict[str, Any]] = []
    for name in names:
        values = table.column(name).to_pylist()
        text = isinstance(values[0], str | datetime)
        values = [v.isoformat() if isinstance(v, datetime) else v for v in values]
        datatype = "BYTES" if text else "FP64"
        inputs.append({"name": name, "datatype": datatype, "shape": [len(values)], "data": values})
    return orjson.dumps({"inputs": inputs})


def test_raw_rows_give_the_server_what_training_saw(
    visits: dict[str, Any], pod: Any, tmp_path: Path
) -> None:
    run = pod(visits)
    result: RunResult = run.all()
    (gate,) = [gate for gate in result.gates if gate.kind == "min"]
    assert gate.verdict == "Pass"
    inputs = [tensor.name for tensor in result.signature.inputs]
    assert inputs == ["height", "weight", "at", "clinic"]
    settings = Settings(
        model="visits",
        version="1",
        artifact_uri=result.artifact.uri,
        artifact_digest=result.artifact.digest,
        work_dir=tmp_path / "server",
    )
    served = load_once(settings)
    work = Workspace(run.work)
    schema = read_record(work.schema, Schema)
    test = load_parts(work, schema).test
    feed = served.codec.decode(parse_infer(_body(test.table, inputs))).feed
    assert feed["numeric"].tobytes() == test.features.numeric.tobytes()
    assert feed["categorical"].tolist() == test.features.categorical.tolist()
    assert set(served.engine.run(feed)) == {"probabilities"}


def test_the_trainer_is_given_features_only(visits: dict[str, Any], pod: Any) -> None:
    run = pod(visits)
    run.stage("prepare")
    assert pq.read_table(run.work / "data/train.parquet").column_names == [
        "z", "evening", "town", "sick",
    ]  # fmt: skip


def test_a_champion_derives_with_its_own_statistics(visits: dict[str, Any], pod: Any) -> None:
    first: RunResult = pod(visits).all()
    other = {**visits["data"], "derived": [*DERIVED[:1], {"name": "z", "expression": "bmi > 28"}]}
    other["features"] = ["z"]
    gate = {"metric": "roc_auc", "champion": {"notWorseBy": 0.0}}
    champion = StoreRef(name="visits-v1", uri=first.artifact.uri, digest=first.artifact.digest)
    second = {**visits, "data": other, "evaluation": {"gates": [gate]}}
    (found,) = pod(second, uid="second", champion=champion).all().gates
    assert (found.kind, found.verdict) == ("champion", "Fail"), found.message


def test_a_definition_that_does_not_fit_ends_the_run_with_a_sentence(
    visits: dict[str, Any], pod: Any
) -> None:
    visits["data"]["derived"][0] = {"name": "bmi", "expression": "weight / clinic"}
    run = pod(visits)
    run.stage("prepare", expect=10)
    assert run.termination.reason == "InvalidExpression"
    assert "data.derived: bmi: / takes numbers, not number, text" in run.termination.message


def test_statistics_do_not_see_held_out_rows(visits: dict[str, Any], pod: Any) -> None:
    run = pod(visits)
    run.stage("prepare")
    z = pq.read_table(run.work / "data/train.parquet").column("z").to_numpy()
    assert (z.mean(), z.std()) == pytest.approx((0, 1), abs=1e-12)


def test_rows_without_ids_are_told_apart_by_what_features_are_made_of(
    visits: dict[str, Any], pod: Any
) -> None:
    del visits["data"]["idColumns"]
    result: RunResult = pod(visits).all()
    assert result.lineage.training_row_columns == ("at", "clinic", "height", "weight", "sick")
