"""A run's result: the first that is written stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from told import run_config

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.runs import NoNewData, RunConfig, read_result
from pawl.artifacts.store import open_store
from pawl.training import results

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path


def config(store: Path) -> RunConfig:
    return run_config(store, run=3)


@pytest.mark.parametrize("why", [pytest.param("", id="unchanged"), "412 rows are labelled"])
def test_an_end_without_training_is_written_down(store: Path, why: str) -> None:
    found = results.end(config(store), OLD, why)
    assert found == NoNewData(uid="u", run=3, data_digest=OLD, message=why)
    assert found.sentence().startswith(why or "the data have not changed since sha256:0000")
    assert read_result((store / "runs/u-3/result.json").read_bytes()) == found


def test_a_run_that_has_told_nothing_goes_on(store: Path) -> None:
    assert results.ended(config(store)) is None
    assert list(store.iterdir()) == []


def test_a_second_try_tells_what_the_first_told_though_the_data_changed(store: Path) -> None:
    first = results.end(config(store), OLD)
    assert results.ended(config(store)) == first
    assert results.end(config(store), NEW, "another reason") == first


def test_the_first_result_stands(store: Path) -> None:
    mine = config(store)
    one, other = (NoNewData(uid="u", run=3, data_digest=digest) for digest in (OLD, NEW))
    with open_store(mine.store) as opened:
        results.put(opened, mine, one)
        results.put(opened, mine, other)
    assert (store / results.path(mine)).read_bytes() == canonical_json(one)
