"""What the sidecar copies, what it leaves, and when it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.template import StoredCheckpoints
from pawl.artifacts.store import Store, open_store
from pawl.training import checkpoints
from pawl.training.keeper import Keeper

PLACE = "runs/u-1/checkpoints/0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


def keeper(folder: Path, store: Store, keep: int = 3, size: str = "1Mi") -> Keeper:
    return Keeper(folder, store, PLACE, StoredCheckpoints(keep=keep, size_limit=size))


def write(path: Path, text: str, at: int) -> None:
    """`at`: nanoseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at, at))


def names(store: Store) -> list[str]:
    return [one.name for one in checkpoints.read(store, f"{PLACE}.json").checkpoints]


def settle(one: Keeper) -> None:
    one.look()
    one.look()


def test_what_changes_between_two_looks_is_not_complete(folder: Path, store: Store):
    one = keeper(folder, store)
    for text in ("a", "ab", "abc"):
        (folder / "step").write_text(text)
        one.look()
    assert names(store) == []
    one.look()
    assert names(store) == ["step"]


@pytest.mark.parametrize("name", [".hidden", "last.part", "last.tmp"])
def test_names_that_say_so_are_not_complete(folder: Path, store: Store, name: str):
    (folder / name).write_text("x")
    settle(keeper(folder, store))
    assert names(store) == []


def test_a_checkpoint_that_is_replaced_is_copied_again(folder: Path, store: Store):
    one = keeper(folder, store)
    for at, text in ((1, "old"), (2, "new")):
        write(folder / "last", text, at)
        settle(one)
    (kept,) = checkpoints.read(store, f"{PLACE}.json").checkpoints
    (blob,) = store.list(PLACE)
    assert blob.endswith(kept.files[0].blob)
    assert store.get(blob, max_bytes=9) == b"new"


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 4))
def test_the_newest_are_kept_and_nothing_else_lies_there(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], keep: int
):
    root = tmp_path_factory.mktemp("keeper")
    store = open_store((root / "store").as_uri())
    (root / "folder").mkdir()
    one = keeper(root / "folder", store, keep=keep)
    for number in order[:3]:
        write(root / "folder" / f"step-{number}", "x", number + 1)
    settle(one)
    for number in order[3:]:
        write(root / "folder" / f"step-{number}", "x", number + 1)
    settle(one)
    assert names(store) == [f"step-{number}" for number in range(6)][-keep:]
    assert len(store.list(PLACE)) == keep


def test_the_oldest_give_way_when_all_are_too_large(folder: Path, store: Store):
    for at in (1, 2, 3):
        write(folder / f"step-{at}", "x" * 400_000, at)
    settle(keeper(folder, store))
    assert names(store) == ["step-2", "step-3"]


@pytest.mark.parametrize(
    ("keep", "sizes", "removed"),
    [
        pytest.param(3, [400_000] * 3, [], id="too large together"),
        pytest.param(2, [1] * 3, ["step-2"], id="the newest was removed"),
    ],
)
def test_what_gives_way_is_not_copied_again_and_again(
    folder: Path, store: Store, keep: int, sizes: list[int], removed: list[str]
):
    for at, size in enumerate(sizes):
        write(folder / f"step-{at}", "x" * size, at + 1)
    one = keeper(folder, store, keep=keep)
    settle(one)
    for name in removed:
        (folder / name).unlink()
    settle(one)
    before = names(store), store.list(PLACE)
    one.store = Store("unused", store._backend, store._retry)
    one.store.put_file = lambda path, _: pytest.fail(f"{path} is copied")  # type: ignore[method-assign]
    settle(one)
    assert (names(store), store.list(PLACE)) == before
    assert one._is_calm


def test_one_that_is_too_large_alone_is_not_kept_and_told_once(
    folder: Path, store: Store, caplog: pytest.LogCaptureFixture
):
    write(folder / "small", "x", 1)
    write(folder / "large", "x" * 2_000_000, 2)
    one = keeper(folder, store)
    settle(one)
    settle(one)
    assert names(store) == ["small"]
    assert [record.message for record in caplog.records].count("a checkpoint is not kept") == 1


def test_too_many_files_are_not_kept(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pawl.training.keeper.MAX_FILES", 2)
    for number in range(3):
        write(folder / "many" / str(number), "x", 1)
    settle(keeper(folder, store))
    assert names(store) == []


def test_no_link_is_followed(folder: Path, store: Store, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("credentials")
    (folder / "link").symlink_to(secret)
    (folder / "step").mkdir()
    (folder / "step" / "real").write_text("x")
    (folder / "step" / "link").symlink_to(secret)
    (folder / "step" / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "step" / "pipe")
    settle(keeper(folder, store))
    (kept,) = checkpoints.read(store, f"{PLACE}.json").checkpoints
    assert [file.path for file in kept.files] == ["real"]


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(
    folder: Path, store: Store, tmp_path: Path
):
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere / "file", "credentials", 1)
    write(folder / "step" / "inner" / "file", "x" * 11, 1)
    one = keeper(folder, store)
    one.look()

    class Bent(Store):
        """`train` acts between the look and the copy."""

        def put_file(self, path: str, source: Path) -> None:
            raise AssertionError("it was opened")

    one.store = Bent(store.uri, store._backend, store._retry)
    seen = one._before["step"]
    (folder / "step" / "inner").rename(tmp_path / "away")
    (folder / "step" / "inner").symlink_to(elsewhere)
    descriptor = os.open(folder, os.O_RDONLY)
    with pytest.raises(OSError, match=r"symbolic link|Not a directory"):
        one._keep(descriptor, seen)
    os.close(descriptor)


def test_a_new_sidecar_goes_on_with_the_list(folder: Path, store: Store):
    write(folder / "step-1", "x", 1)
    settle(keeper(folder, store))
    blobs = store.list(PLACE)
    settle(keeper(folder, store))
    assert store.list(PLACE) == blobs


def test_nothing_is_copied_once_train_has_ended(folder: Path, store: Store):
    (folder / "step").write_text("x")
    (folder / checkpoints.ENDED).touch()
    settle(keeper(folder, store))
    assert names(store) == []


def test_it_ends_when_asked_after_train_has(folder: Path, store: Store):
    one = keeper(folder, store)
    (folder / checkpoints.ENDED).touch()
    assert not one.is_done()
    one.stop()
    one.run()


def test_it_waits_for_the_last_checkpoint_of_a_train_that_was_stopped(folder: Path, store: Store):
    write(folder / "step-1", "x", time.time_ns() - 10**10)
    one = keeper(folder, store)
    settle(one)
    one.stop()
    assert not one.is_done()
    (folder / "step-2.part").write_text("half")
    (folder / "step-3").write_text("whole")
    settle(one)
    assert not one.is_done()  # another one is being written
    (folder / "step-2.part").rename(folder / "step-2")
    one.run()
    assert {"step-2", "step-3"} <= set(names(store))
