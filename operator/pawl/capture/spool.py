"""The folder of a pod through which captured rows go from the servers to the writer.

A segment is one file: a line of JSON that says what its columns are, then lines of rows. Who writes
it holds a lock on it (flock), which the kernel takes away when its process dies: a segment is
finished when its lock can be had. A server always holds one segment, so as long as the folder is
not empty something may still come. One segment becomes one file in the store, under a name that
does not change: a writer that died in between writes nothing twice.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import orjson

from pawl.capture.names import Kind

#: A segment ends at so many rows, or bytes.
MAX_ROWS: Final = 50_000
MAX_BYTES: Final = 16 << 20
_ENDING = ".rows"


class Segment:
    """One that is being written."""

    def __init__(self, folder: Path, kind: Kind, name: str, head: dict[str, Any]) -> None:
        """`name` must be new."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{kind}.{name}{_ENDING}"
        hidden = folder / f".{self._path.name}"
        # Hidden until it is locked, or it would be taken for finished.
        self._file = hidden.open("xb", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.rows = 0
        self._bytes = 0
        self._since = 0.0
        self._write(orjson.dumps({"format": 2, "kind": kind, **head}) + b"\n")
        hidden.rename(self._path)

    def append(self, lines: bytes, rows: int, now: float) -> None:
        """Lines, without the end of the last, of so many rows. After an OSError it is as before."""
        self._write(lines + b"\n")
        if not self.rows:
            self._since = now
        self.rows += rows

    def due(self, now: float, seconds: float) -> bool:
        """Whether it is time for the next; `seconds` from the first row."""
        return self.rows > 0 and (
            self.rows >= MAX_ROWS or self._bytes >= MAX_BYTES or now - self._since >= seconds
        )

    def close(self) -> None:
        """Finished. Nothing is left of one without rows."""
        if not self.rows:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        except OSError:
            os.ftruncate(self._file.fileno(), self._bytes)
            os.lseek(self._file.fileno(), 0, os.SEEK_END)
            raise
        self._bytes += len(data)


def names(folder: Path) -> list[Path]:
    """All segments, the oldest of each server first."""
    with suppress(FileNotFoundError):
        return sorted(
            path
            for path in folder.iterdir()
            if path.name.endswith(_ENDING) and not path.name.startswith(".")
        )
    return []


def size(folder: Path) -> int:
    """Bytes of all segments."""
    total = 0
    for path in names(folder):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def name_of(path: Path) -> str:
    """What a segment was named."""
    return path.name.removesuffix(_ENDING).partition(".")[2]


@contextmanager
def claim(path: Path) -> Iterator[IO[bytes] | None]:
    """A segment to read, None when it is not finished or has gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file
