"""A retrain for drift: judged on the newest labelled rows, or ended when there are too few."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.bundle import fetch_bundle
from pawl.artifacts.records import Metrics, Window
from pawl.artifacts.runs import (
    KnownVersion,
    NoNewData,
    Reproduction,
    RunResult,
    StoreRef,
    read_result,
)
from pawl.constants import EXIT_NO_NEW_DATA
from pawl.training.rowhash import row_hashes

START = datetime(2026, 10, 1, tzinfo=UTC)
GATES = [
    {"metric": "roc_auc", "min": 0.9},
    {"metric": "roc_auc", "champion": {"notWorseBy": 0.2, "minRows": 20}},
]
CAUSE = {"deployment": "tumours", "reason": "Drifted", "minLabelled": 100, "labelDelay": "1d"}


@pytest.fixture
def hourly(breast_cancer: Path, tmp_path: Path) -> Any:
    """Writes the first so many rows of the data set, one an hour from October on."""
    every = pq.read_table(breast_cancer)
    order = np.random.default_rng(1).permutation(every.num_rows)

    def write(count: int, unlabelled: int = 0) -> str:
        table = every.take(pa.array(order[:count]))
        times = [START + timedelta(hours=i) for i in range(count)]
        table = table.append_column("at", pa.array(times, pa.timestamp("us", "UTC")))
        labels = table.column("diagnosis").to_pylist()
        labels[count - unlabelled :] = [None] * unlabelled
        index = table.column_names.index("diagnosis")
        table = table.set_column(index, "diagnosis", pa.array(labels, pa.string()))
        pq.write_table(table, tmp_path / "rows.parquet")
        return (tmp_path / "rows.parquet").as_uri()

    return write


def hour(number: int) -> str:
    return f"{START + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def first(recipe: dict[str, Any], pod: Any, hourly: Any) -> RunResult:
    """Trained on the first 300 rows, at hour 300."""
    recipe["data"] |= {"uri": hourly(300), "timeColumn": "at"}
    recipe["evaluation"] = {"gates": GATES}
    made: RunResult = pod(recipe, started_at=hour(300)).all()
    return made


def again(recipe: dict[str, Any], pod: Any, first: RunResult, at: int, **changes: Any) -> Any:
    """The pod of a retrain that began in that hour."""
    data = first.lineage.data
    cause = CAUSE | {"dataDigest": data.digest, "dataNewest": data.newest} | changes
    version = StoreRef(name="tumours-v1", uri=first.artifact.uri, digest=first.artifact.digest)
    return pod(
        recipe | {"cause": cause}, uid=f"retrain-{at}", champion=version, started_at=hour(at)
    )


def test_any_run_records_its_newest_row(first: RunResult) -> None:
    assert first.lineage.data.newest == hour(299)
    assert first.lineage.data.window is None
    assert first.old_window is None


def test_the_newest_labelled_rows_judge_a_successor(
    recipe: dict[str, Any], pod: Any, hourly: Any, first: RunResult, tmp_path: Path
) -> None:
    hourly(569, unlabelled=9)  # hours 300 to 559 are new, and mature until 536
    mine = again(recipe, pod, first, 560)
    result = mine.all()
    data = result.lineage.data
    # of 537 mature rows 107 are a fifth; half of the 237 new ones are more
    assert data.window == Window(embargo=hour(406), start=hour(430), end=hour(536))
    assert data.newest == hour(536)
    assert (data.rows, data.test_rows) == (406 + 107, 107)
    held_out = pq.read_table(mine.work / "held-out/old.parquet")
    assert data.train_rows + data.validation_rows + held_out.num_rows == 406
    given = np.load(mine.work / "held-out/rows.npy")
    assert not np.isin(row_hashes(held_out, ("patient_id",)), given).any()
    assert result.old_window is not None
    assert result.old_window.rows == held_out.num_rows
    assert min(result.old_window.values["roc_auc"], result.old_window.champion["roc_auc"]) > 0.95
    for gate in result.gates:
        assert gate.verdict == "Pass"
        assert gate.n == 107
        old = result.old_window
        assert gate.message.endswith(
            f"; rows since {hour(430)}, on {old.rows} older ones {old.values['roc_auc']:.4g} "
            f"(champion {old.champion['roc_auc']:.4g})"
        )
    assert any("23 rows are younger than labelDelay (1d), and 24 are" in w for w in result.warnings)
    bundle = tmp_path / "bundle"
    fetch_bundle(result.artifact.uri, result.artifact.digest, bundle)
    assert Metrics.model_validate_json((bundle / "metrics.json").read_bytes()).old_window == old
    card = (bundle / "card.md").read_text()
    assert f"## Scores on {old.rows} older held-out rows" in card
    assert f"from {hour(430)} to {hour(536)}" in card


def test_too_few_new_labels_end_the_run(
    recipe: dict[str, Any], pod: Any, hourly: Any, first: RunResult
) -> None:
    hourly(420)  # 120 are new, 96 of them mature
    mine = again(recipe, pod, first, 419)
    mine.stage("prepare", expect=EXIT_NO_NEW_DATA)
    said = (
        f"96 labelled rows are newer than {hour(299)} and older than labelDelay (1d), minLabelled "
        "is 100; nothing was trained"
    )
    assert (mine.termination.reason, mine.termination.message) == ("NoNewData", said)
    assert not (mine.work / "data/train.parquet").exists()
    told = read_result(
        (Path(mine.store.removeprefix("file://")) / mine.termination.result).read_bytes()
    )
    assert isinstance(told, NoNewData)
    assert told.sentence() == said
    hourly(569)  # a pod that is repeated tells the same
    mine.stage("prepare", expect=EXIT_NO_NEW_DATA)
    assert mine.termination.message == said


def test_a_run_that_is_repeated_takes_the_same_rows(
    recipe: dict[str, Any], pod: Any, hourly: Any, first: RunResult
) -> None:
    hourly(569)
    one = again(recipe, pod, first, 560).all()
    other = again(recipe, pod, first, 560, message="another").all()
    assert one.artifact.digest == other.artifact.digest


@pytest.mark.parametrize(
    ("beside", "differ"),
    [
        pytest.param(True, [], id="beside the champion then"),
        pytest.param(False, ["card.md", "metrics.json"], id="beside none"),
    ],
)
def test_a_retrain_is_made_again_later_of_the_rows_of_then(
    recipe: dict[str, Any],
    pod: Any,
    hourly: Any,
    first: RunResult,
    tmp_path: Path,
    beside: bool,
    differ: list[str],
) -> None:
    hourly(569)
    made = again(recipe, pod, first, 540).all()  # later hours were of the future
    fetch_bundle(made.artifact.uri, made.artifact.digest, tmp_path / "bundle")
    card = (tmp_path / "bundle/card.md").read_text()
    assert "## Moved since tumours-v1 was trained" in card
    data = made.lineage.data
    version = StoreRef(name="tumours-v2", uri=made.artifact.uri, digest=made.artifact.digest)
    mine = pod(
        recipe,
        uid="again",
        started_at=data.newest,
        champion=made.champion if beside else None,
        more={"reproduces": version, "data_digest": data.digest, "window": data.window},
    )
    for stage in ("prepare", "train", "publish"):
        mine.stage(stage)
    path = Path(mine.store.removeprefix("file://")) / "runs/again-1/result.json"
    found = read_result(path.read_bytes())
    assert isinstance(found, Reproduction)
    assert [file.name for file in found.files if not file.same] == differ
    assert {"card.md", "model.onnx", "lineage.json"} <= {file.name for file in found.files}


def test_only_a_version_that_was_cut_in_the_same_way_is_given_back(
    recipe: dict[str, Any], pod: Any, hourly: Any, first: RunResult
) -> None:
    hourly(569)
    made = again(recipe, pod, first, 560).all()
    version = StoreRef(name="tumours-v2", uri=made.artifact.uri, digest=made.artifact.digest)
    data = made.lineage.data
    outcomes = []
    for at, window in ((560, data.window), (560, None), (565, data.window)):
        mine = again(recipe, pod, first, at)
        mine.known = (KnownVersion(version=version, data_digest=data.digest, window=window),)
        mine.uid += str(len(outcomes))
        outcomes.append(mine.all().outcome)
    assert outcomes == ["Recorded", "Succeeded", "Succeeded"]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        pytest.param(None, "is not given", id="none"),
        pytest.param("mean radius", "holds no times with a date", id="numbers"),
    ],
)
def test_without_times_the_recipe_s_own_test_rows_judge_and_it_is_said(
    recipe: dict[str, Any], pod: Any, column: str | None, why: str
) -> None:
    recipe["data"]["timeColumn"] = column
    result = pod(recipe | {"cause": CAUSE | {"minLabelled": 100_000}}).all()
    assert f"gates ran on the recipe's test rows: data.timeColumn {why}" in result.warnings
    assert result.lineage.data.window is None
