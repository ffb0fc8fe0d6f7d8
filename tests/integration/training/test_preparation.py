"""Rows on their way through containers and functions to the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.records import StepLineage
from pawl.artifacts.runs import RunResult


@pytest.fixture
def prepared(recipe: dict[str, Any]) -> dict[str, Any]:
    steps = {
        "containers": [{"name": "halve", "image": "me/halve:1"}],
        "functions": [{"keep": "half > 5.5"}],
    }
    return {**recipe, "data": recipe["data"] | {"prepare": steps}}


def _halve(work: Path) -> None:
    """What the container does."""
    table = pq.read_table(work / "steps/0/rows.parquet")
    half = pc.divide(table.column("mean radius"), 2.0)
    pq.write_table(table.append_column("half", half), work / "steps/1/rows.parquet")


def test_what_a_container_left_is_trained_on(prepared: dict[str, Any], pod: Any) -> None:
    run = pod(prepared)
    run.stage("fetch")
    _halve(run.work)
    result: RunResult = run.all()
    assert "half" in [tensor.name for tensor in result.signature.inputs]
    rows = pq.read_table(run.work / "data/train.parquet")
    assert pc.min(rows.column("half")).as_py() > 5.5
    assert result.lineage.preparation == (
        StepLineage(name="halve", image="me/halve:1"),
        StepLineage(name="keep", version=1),
    )


def test_the_digest_is_of_what_was_fetched(
    prepared: dict[str, Any], recipe: dict[str, Any], pod: Any
) -> None:
    plain: RunResult = pod(recipe).all()
    run = pod(prepared, uid="other")
    run.stage("fetch")
    _halve(run.work)
    assert run.all().lineage.data.digest == plain.lineage.data.digest


def test_identifiers_are_text_whatever_a_container_makes_of_them(
    prepared: dict[str, Any], pod: Any
) -> None:
    run = pod(prepared)
    run.stage("fetch")
    table = pq.read_table(run.work / "steps/0/rows.parquet")
    numbers = pa.array(range(table.num_rows))
    table = table.set_column(table.column_names.index("patient_id"), "patient_id", numbers)
    half = pc.divide(table.column("mean radius"), 2.0)
    pq.write_table(table.append_column("half", half), run.work / "steps/1/rows.parquet")
    run.stage("prepare")
    held_out = pq.read_table(run.work / "held-out/test.parquet")
    assert held_out.schema.field("patient_id").type == pa.string()


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        pytest.param(lambda path: None, "halve (data.prepare) left no rows.parquet", id="nothing"),
        pytest.param(
            lambda path: path.write_bytes(b"PAR1"),
            "rows.parquet of halve is not readable as parquet",
            id="no parquet",
        ),
        pytest.param(
            lambda path: path.symlink_to("/etc/passwd"), "left no rows.parquet", id="a link"
        ),
    ],
)
def test_what_cannot_be_read_is_told(
    prepared: dict[str, Any], pod: Any, leave: Any, said: str
) -> None:
    run = pod(prepared)
    run.stage("fetch")
    leave(run.work / "steps/1/rows.parquet")
    run.stage("prepare", expect=10)
    assert said in run.termination.message
