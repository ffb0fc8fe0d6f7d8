import os
from pathlib import Path

from pawl.local.node.atomic import FileContent, write


def contents(directory: Path) -> dict[str, bytes]:
    return {
        entry.name: entry.read_bytes()
        for entry in directory.iterdir()
        if not entry.name.startswith("..") and entry.is_file()
    }


def test_files_appear_through_one_link(tmp_path: Path) -> None:
    assert write(tmp_path, {"a": FileContent(b"1"), "d/b": FileContent(b"2", 0o600)})
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert (tmp_path / "d" / "b").read_bytes() == b"2"
    assert (tmp_path / "d" / "b").stat().st_mode & 0o777 == 0o600


def test_a_change_swaps_all_files_at_once(tmp_path: Path) -> None:
    write(tmp_path, {"a": FileContent(b"1"), "b": FileContent(b"1")})
    before = os.readlink(tmp_path / "..data")
    assert write(tmp_path, {"a": FileContent(b"2"), "c": FileContent(b"2")})
    assert os.readlink(tmp_path / "..data") != before
    assert contents(tmp_path) == {"a": b"2", "c": b"2"}
    assert not (tmp_path / before).exists()


def test_no_change_touches_nothing(tmp_path: Path) -> None:
    files = {"a": FileContent(b"1")}
    write(tmp_path, files)
    before = os.readlink(tmp_path / "..data")
    assert not write(tmp_path, files)
    assert os.readlink(tmp_path / "..data") == before


def test_it_can_become_empty(tmp_path: Path) -> None:
    write(tmp_path, {"a": FileContent(b"1")})
    write(tmp_path, {})
    assert contents(tmp_path) == {}
    assert (tmp_path / "..data").is_dir()
