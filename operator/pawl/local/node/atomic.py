"""A directory whose files change all at once, as the kubelet writes ConfigMap volumes.

    ..2026_11_21_04_00_00.123456   the files of one write
    ..data -> ..2026_11_21_…       swapped by rename(2)
    key -> ..data/key

A reader that follows `..data` (or watches the directory for its move) sees the old files or the
new ones, never a mixture (pkg/volume/util/atomic_writer.go).
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

_DATA = "..data"


@dataclass(frozen=True)
class FileContent:
    data: bytes
    mode: int = 0o644


def write(directory: Path, files: Mapping[str, FileContent]) -> bool:
    """Make `directory` hold exactly `files` (relative path -> content). True: it has changed."""
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / _DATA
    old = directory / os.readlink(link) if link.is_symlink() else None
    if old is not None and _current(old) == dict(files):
        return False
    fresh = directory / f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S.%f}"
    for name, content in files.items():
        _write_file(fresh / PurePosixPath(name), content)
    fresh.mkdir(exist_ok=True)
    _point(link, fresh.name)
    heads = {PurePosixPath(name).parts[0] for name in files}
    for head in heads:
        if not (directory / head).is_symlink():
            (directory / head).symlink_to(f"{_DATA}/{head}")
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in heads:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _point(link: Path, target: str) -> None:
    temporary = link.with_name("..data_tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def _write_file(path: Path, content: FileContent) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.data)
    path.chmod(content.mode)


def _current(directory: Path) -> dict[str, FileContent]:
    return {
        str(path.relative_to(directory)): FileContent(
            path.read_bytes(), path.stat().st_mode & 0o777
        )
        for path in directory.rglob("*")
        if path.is_file()
    }
