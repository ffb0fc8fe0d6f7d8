"""A model of rows that come from several sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

SPLIT = ("mean radius", "mean texture")


@pytest.fixture
def apart(breast_cancer: Path, recipe: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The recipe's rows without two of their columns, which are in a file of their own, sorted
    otherwise."""
    table = pq.read_table(breast_cancer)
    rows, other = tmp_path / "rows.parquet", tmp_path / "other.parquet"
    pq.write_table(table.drop_columns(list(SPLIT)), rows)
    pq.write_table(
        table.select(["patient_id", *SPLIT]).take(np.arange(table.num_rows)[::-1]), other
    )
    source = {"name": "scans", "uri": other.as_uri(), "key": ["patient_id"]}
    return {**recipe, "data": {**recipe["data"], "uri": rows.as_uri(), "sources": [source]}}


def test_joined_columns_train_the_model_that_one_table_would(
    apart: dict[str, Any], recipe: dict[str, Any], pod: Any
) -> None:
    whole, joined = pod(recipe).all(), pod(apart, uid="joined").all()
    assert joined.metrics == pytest.approx(whole.metrics, abs=1e-9)
    assert {t.name for t in joined.signature.inputs} == {t.name for t in whole.signature.inputs}
    (source,) = joined.lineage.data.sources
    assert source.name == "scans"
    assert source.digest != joined.lineage.data.digest


def test_a_repeated_key_fails_the_run_before_training(apart: dict[str, Any], pod: Any) -> None:
    apart["data"]["sources"][0]["key"] = ["mean radius"]
    run = pod(apart)
    run.stage("prepare", expect=10)
    assert run.termination.reason == "ColumnNotFound"
    path = Path(apart["data"]["sources"][0]["uri"].removeprefix("file://"))
    table = pq.read_table(path)
    pq.write_table(table.take(np.r_[0, : table.num_rows]), path)
    apart["data"]["sources"][0]["key"] = ["patient_id"]
    run = pod(apart)
    run.stage("prepare", expect=10)
    assert run.termination.reason == "JoinKeyRepeated"
    assert "the key p0568 occurs 2 times (rows 1, 2)" in run.termination.message
