"""A run's result: the first that is written stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import NoNewData, RunConfig, read_result
from pawl.artifacts.store import open_store
from pawl.training import results

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path


def config(store: Path, unless_data: str | None) -> RunConfig:
    return RunConfig(
        name="j",
        namespace="n",
        uid="u",
        run=3,
        model="m",
        spec={},
        recipe_digest="",
        store=store.as_uri(),
        image="i",
        unless_data=unless_data,
    )


def test_unchanged_data_are_written_down(store: Path) -> None:
    found = results.nothing_new(config(store, OLD), OLD)
    assert found == NoNewData(uid="u", run=3, data_digest=OLD)
    assert read_result((store / "runs/u-3/result.json").read_bytes()) == found


@pytest.mark.parametrize("unless", [pytest.param(None, id="no retrain"), OLD])
def test_new_data_are_trained_on_and_leave_nothing(store: Path, unless: str | None) -> None:
    assert results.nothing_new(config(store, unless), NEW) is None
    assert list(store.iterdir()) == []


def test_a_second_try_tells_what_the_first_told_though_the_data_changed(store: Path) -> None:
    first = results.nothing_new(config(store, OLD), OLD)
    assert results.nothing_new(config(store, OLD), NEW) == first


def test_the_first_result_stands(store: Path) -> None:
    mine = config(store, OLD)
    one, other = (NoNewData(uid="u", run=3, data_digest=digest) for digest in (OLD, NEW))
    with open_store(mine.store) as opened:
        results.put(opened, mine, one)
        results.put(opened, mine, other)
    assert (store / results.path(mine)).read_bytes() == canonical_json(one)
