"""A store on the file system: whole files, written once, nothing outside."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pawl.artifacts.retry import Retry
from pawl.artifacts.store import LocalBackend, Store, open_store
from pawl.errors import ConflictError, IntegrityError, StoreError, UserError

NO_WAIT = Retry(attempts=3, sleep=lambda _: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path.as_uri(), retry=NO_WAIT)


def test_what_is_put_can_be_got(store: Store) -> None:
    store.put("a/b.json", b"{}")
    assert store.get("a/b.json", max_bytes=10) == b"{}"
    assert store.exists("a/b.json")
    assert store.list("a") == ["a/b.json"]


def test_what_is_deleted_is_gone(store: Store) -> None:
    store.put("a/b.json", b"{}")
    store.delete("a/b.json")
    assert store.list("a") == []
    with pytest.raises(FileNotFoundError):
        store.delete("a/b.json")
    with pytest.raises(IntegrityError):
        store.delete("../b.json")


def test_a_second_put_is_a_conflict_and_changes_nothing(store: Store) -> None:
    store.put("a", b"first")
    with pytest.raises(ConflictError):
        store.put("a", b"second")
    assert store.get("a", max_bytes=10) == b"first"


def test_of_many_that_put_at_once_exactly_one_wins(store: Store) -> None:
    def attempt(i: int) -> bool:
        try:
            store.put("race", str(i).encode() * 50_000)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert won.count(True) == 1
    assert store.get("race", max_bytes=10**6) == str(won.index(True)).encode() * 50_000


def test_nothing_is_left_beside_a_put_that_failed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", broken)
    with pytest.raises(StoreError, match="No space left"):
        store.put("a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_put_whose_answer_was_lost_is_no_conflict(tmp_path: Path) -> None:
    class Lossy(LocalBackend):
        lost = False

        def put_file(self, path: str, source: Path) -> None:
            super().put_file(path, source)
            if not self.lost:
                self.lost = True
                raise ConnectionResetError

    store = Store(tmp_path.as_uri(), Lossy(tmp_path), NO_WAIT)
    store.put("a", b"mine")
    assert store.get("a", max_bytes=10) == b"mine"


def test_files_can_be_read_by_others(store: Store, tmp_path: Path) -> None:
    store.put("a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/passwd", "a\\..\\b", "a\0b"])
def test_no_path_leads_out_of_the_store(store: Store, path: str) -> None:
    with pytest.raises(IntegrityError):
        store.get(path, max_bytes=10)


def test_a_larger_blob_than_expected_is_refused(store: Store, tmp_path: Path) -> None:
    store.put("a", b"x" * 11)
    with pytest.raises(IntegrityError, match="larger than 10"):
        store.get("a", max_bytes=10)
    with pytest.raises(IntegrityError, match="larger than 10"):
        store.get_file("a", tmp_path / "copy", max_bytes=10)


@pytest.mark.parametrize("blocked", ["a", "a/b"])
def test_a_file_in_the_way_of_a_folder_is_no_conflict(
    store: Store, tmp_path: Path, blocked: str
) -> None:
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("in the way")
    with pytest.raises(StoreError, match="NotADirectoryError"):
        store.put("a/b/c", b"x")


def test_what_is_not_there_is_not_found(store: Store) -> None:
    assert not store.exists("a")
    assert store.list("a") == []
    with pytest.raises(FileNotFoundError):
        store.get("a", max_bytes=10)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://host/a", "file://, s3://, http://, https://"),
        ("s3://key:secret@bucket/a", "Secret pawl-store"),
        ("file://host/a", "three slashes"),
    ],
)
def test_a_wrong_uri_is_told_without_credentials(uri: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as told:
        open_store(uri)
    assert "secret@" not in str(told.value)


def test_a_store_shows_no_credentials() -> None:
    store = Store("s3://key:secret@bucket", LocalBackend(Path()), NO_WAIT)
    assert "secret" not in repr(store)
