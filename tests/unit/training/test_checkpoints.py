"""Checkpoints come back whole or not at all, and nothing is left of a run that has succeeded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from told import run_config

from pawl.api.template import StoredCheckpoints
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import RunConfig, TrialTask
from pawl.artifacts.store import open_store
from pawl.training.checkpoints import Checkpoint, clear, end, place, restore
from pawl.training.keeper import Keeper

STORE: dict[str, Any] = {"store": {}}
CLAIM: dict[str, Any] = {"claim": "scratch"}


def recipe(checkpoints: dict[str, Any] | None) -> TrainingJobSpec:
    spec: dict[str, Any] = {
        "model": "m",
        "data": {"uri": "file:///d.csv", "task": "regression", "target": "y"},
        "trainer": {"container": {"image": "me/train:1"}},
    }
    if checkpoints is not None:
        spec["template"] = {"checkpoints": checkpoints}
    return TrainingJobSpec.model_validate(spec)


def config(store: Path, trial: int | None = None) -> RunConfig:
    task = None if trial is None else TrialTask(number=trial, search_run=1, parameters={})
    return run_config(store, trial=task)


def variables(folder: Path) -> dict[str, str]:
    return {"PAWL_CHECKPOINT_DIR": str(folder)}


def keep(told: RunConfig, folder: Path, worker: int = 0) -> None:
    """As the sidecar of a worker does."""
    with open_store(told.store) as store:
        keeper = Keeper(folder, store, f"{place(told)}/{worker}", StoredCheckpoints())
        keeper.look()
        keeper.look()


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The folder of an attempt that was interrupted."""
    folder = tmp_path / "first"
    (folder / "step-2" / "shards").mkdir(parents=True)
    (folder / "step-2" / "shards" / "0").write_text("weights")
    (folder / "step-2" / "meta").write_text("{}")
    (folder / "last.pt").write_text("1")
    os.utime(folder / "last.pt", ns=(10**18 + 1, 10**18 + 1))
    return folder


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """The empty folder of the next attempt."""
    folder = tmp_path / "second"
    folder.mkdir()
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_next_attempt_finds_what_the_last_one_left(tmp_path: Path, first: Path, second: Path):
    told = config(tmp_path / "store")
    keep(told, first)
    restore(told, recipe(STORE), variables(second))
    assert content(second) == content(first)
    assert (second / "last.pt").stat().st_mtime_ns == 10**18 + 1
    keep(told, second)
    assert content(tmp_path / "store") != {}


def test_the_folder_is_the_nodes_and_keeps_its_mode(tmp_path: Path, first: Path, second: Path):
    told = config(tmp_path / "store")
    keep(told, first)
    second.chmod(0o1755)
    restore(told, recipe(STORE), variables(second))
    assert second.stat().st_mode & 0o7777 == 0o1755


def test_what_was_restored_is_not_copied_again(tmp_path: Path, first: Path, second: Path):
    told = config(tmp_path / "store")
    keep(told, first)
    before = content(tmp_path / "store")
    restore(told, recipe(STORE), variables(second))
    keep(told, second)
    assert content(tmp_path / "store") == before


def test_every_worker_gets_what_all_have_left(tmp_path: Path, second: Path):
    told = config(tmp_path / "store")
    for worker in (0, 1):
        folder = tmp_path / str(worker)
        (folder / "shared").mkdir(parents=True)
        (folder / f"rank-{worker}").write_text(str(worker))
        (folder / "last").write_text(str(worker))
        os.utime(folder / "last", ns=(10**18 + worker, 10**18 + worker))
        keep(told, folder, worker)
    restore(told, recipe(STORE), variables(second))
    assert content(second) == {"rank-0": "0", "rank-1": "1", "last": "1"}


def test_what_other_workers_keep_does_not_push_out_a_workers_own(tmp_path: Path):
    told = config(tmp_path / "store")
    for worker in range(4):
        folder = tmp_path / str(worker)
        folder.mkdir()
        for step in range(3):
            path, at = folder / f"step-{step}-{worker}", 10**18 + 10 * step + worker
            path.write_text("shard")
            os.utime(path, ns=(at, at))
        keep(told, folder, worker)
    before = content(tmp_path / "store")
    for worker in range(4):
        folder = tmp_path / f"again-{worker}"
        folder.mkdir()
        restore(told, recipe(STORE), variables(folder))
        assert len(content(folder)) == 12
        keep(told, folder, worker)
    assert content(tmp_path / "store") == before


def test_trials_and_runs_have_their_own(tmp_path: Path, first: Path, second: Path):
    keep(config(tmp_path / "store", trial=3), first)
    restore(config(tmp_path / "store"), recipe(STORE), variables(second))
    restore(config(tmp_path / "store", trial=4), recipe(STORE), variables(second))
    assert content(second) == {}


def test_a_checkpoint_that_is_not_whole_is_left_out(tmp_path: Path, first: Path, second: Path):
    told = config(tmp_path / "store")
    keep(told, first)
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file() and path.read_bytes() == b"weights":
            path.write_text("WEIGHTS")
    restore(told, recipe(STORE), variables(second))
    assert content(second) == {"last.pt": "1"}


def test_a_list_that_cannot_be_read_is_none(tmp_path: Path, second: Path):
    told = config(tmp_path / "store")
    lists = tmp_path / "store" / place(told)
    lists.mkdir(parents=True)
    (lists / "0.json").write_text('{"checkpoints": 1}')
    restore(told, recipe(STORE), variables(second))
    assert content(second) == {}


def test_what_this_pod_has_already_stays(tmp_path: Path, first: Path, second: Path):
    told = config(tmp_path / "store")
    keep(told, first)
    (second / "last.pt").write_text("newer")
    restore(told, recipe(STORE), variables(second))
    assert (second / "last.pt").read_text() == "newer"


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\0b", "x" * 256])
def test_no_name_leads_out_of_the_folder(name: str):
    with pytest.raises(ValidationError):
        Checkpoint(name=name, modified=0, is_folder=False, files=())


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "a//b", "a/.", "./a"])
def test_no_path_leads_out_of_its_checkpoint(path: str):
    file = {"path": path, "size": 0, "modified": 0, "digest": "", "blob": "0" * 32}
    with pytest.raises(ValidationError):
        Checkpoint.model_validate({"name": "a", "modified": 0, "isFolder": True, "files": [file]})


def test_a_run_that_has_succeeded_leaves_none_in_the_store(tmp_path: Path, first: Path):
    told = config(tmp_path / "store")
    keep(told, first)
    keep(config(tmp_path / "store", trial=0), first, worker=1)
    clear(told, recipe(STORE), variables(first))
    assert content(tmp_path / "store") == {}


@pytest.mark.parametrize(
    ("checkpoints", "told"),
    [pytest.param(STORE, True, id="store"), pytest.param(CLAIM, False, id="claim")],
)
def test_only_a_sidecar_is_told_that_train_has_ended(
    tmp_path: Path, checkpoints: dict[str, Any], told: bool
):
    end(recipe(checkpoints), variables(tmp_path))
    assert bool(list(tmp_path.iterdir())) is told


def test_a_link_in_the_place_of_the_sign_is_not_followed(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".ended").symlink_to(tmp_path / "elsewhere")
    end(recipe(STORE), variables(folder))
    assert not (tmp_path / "elsewhere").exists()


def test_everything_in_a_claim_goes_and_it_stays(tmp_path: Path):
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    (folder / "step-1" / "deep").mkdir(parents=True)
    (folder / "last.pt").write_text("x")
    (folder / "link").symlink_to(elsewhere)
    clear(config(tmp_path), recipe(CLAIM), variables(folder))
    assert list(folder.iterdir()) == []
    assert (elsewhere / "kept").exists()


def test_without_one_nothing_is_done_and_one_that_is_gone_is_no_error(tmp_path: Path):
    clear(config(tmp_path), recipe(None), {})
    clear(config(tmp_path), recipe(CLAIM), variables(tmp_path / "gone"))
