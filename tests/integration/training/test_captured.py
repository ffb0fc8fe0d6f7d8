"""Captured predictions and their truth are data to train on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.records import Window
from pawl.artifacts.store import open_store
from pawl.capture.main import main
from pawl.capture.spool import Segment
from pawl.capture.writer import Writer

START = datetime(2026, 1, 15, tzinfo=UTC).timestamp()


def moment(minute: int) -> str:
    """As `prepare` writes it."""
    return f"{datetime.fromtimestamp(START + 60 * minute, UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def captured(tmp_path: Path, breast_cancer: Path) -> str:
    """Where the rows of the data set are as they would have been captured, one a minute; the truth
    of nine in ten came an hour later."""
    table = pq.read_table(breast_cancer)
    names = [name for name in table.column_names if name not in ("patient_id", "diagnosis")]
    truths = table.column("diagnosis").to_pylist()
    order = np.random.default_rng(1).permutation(len(truths))
    spool = tmp_path / "spool"
    head = {
        "model": "tumours",
        "version": "1",
        "columns": [{"name": name, "type": "number"} for name in names],
        "numbers": len(names),
        "label": {"name": "pawl_label", "type": "text"},
    }
    made = Segment(spool, "predictions", "pod-1-1", head)
    told = Segment(spool, "feedback", "pod-1-1", {"model": "tumours"})
    for minute, row in enumerate(order.tolist()):
        common = {"id": f"{row:016d}", "t": START + 60 * minute, "r": 0, "n": 1, "g": None}
        line = {key: [value] for key, value in common.items()}
        line |= {"t": common["t"], "w": [1.0], "v": [], "y": ["benign"], "p": None}
        numbers = np.array([table.column(name)[row].as_py() for name in names], "<f8").tobytes()
        text = json.dumps(line | {"b": len(numbers)}).encode()
        made.append(text + b"\n" + numbers, 1, 0)
        if minute % 10:
            truth = {"version": "1", "age": 3600, "truth": [truths[row]]}
            line = {**common, "t": common["t"] + 3600, **truth}
            told.append(json.dumps(line).encode(), 1, 0)
    made.close()
    told.close()
    lake = tmp_path / "lake"
    stop = Event()
    stop.set()
    Writer(spool, open_store(lake.as_uri())).run(stop)
    return lake.as_uri()


@pytest.fixture
def joined(captured: str, tmp_path: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe for what was captured and told."""
    out = (tmp_path / "train" / "rows.parquet").as_uri()
    main(["join", "--uri", captured, "--out", out, "--target", "diagnosis", "--mature", "1h"])
    recipe["data"] |= {"uri": out, "idColumns": ["pawl_id"], "timeColumn": "pawl_time"}
    return recipe


def test_a_model_is_trained_on_what_was_captured(joined: dict[str, Any], pod: Any) -> None:
    joined["data"]["split"] = {"strategy": "time"}
    result = pod(joined).all()
    assert result.metrics["roc_auc"] > 0.97
    assert result.lineage.data.rows == 512
    assert result.lineage.data.newest == moment(568)
    assert len(result.signature.inputs) == 30


def test_a_retrain_is_judged_by_what_was_captured_last(joined: dict[str, Any], pod: Any) -> None:
    joined["cause"] = {
        "deployment": "tumours",
        "reason": "Drifted",
        "dataNewest": moment(299),  # nine in ten of the 240 rows after it have a label
        "labelDelay": "30m",
        "minLabelled": 100,
    }
    data = pod(joined, started_at=moment(569)).all().lineage.data
    assert data.window == Window(embargo=moment(403), start=moment(433), end=moment(539))
    assert (data.newest, data.test_rows) == (moment(539), 97)
