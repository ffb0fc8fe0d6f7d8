"""The artifact store: blobs under one URI, written once.

`file://` is served by the file system itself (put-if-absent by hard link, so a reader never sees
half a file), other stores by `remote`. Every call is retried and ends in StoreError when the store
does not answer; error texts carry no credentials.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

from pawl.artifacts.canonical import file_digest
from pawl.artifacts.redact import redact
from pawl.artifacts.remote import RemoteBackend
from pawl.artifacts.retry import Retry
from pawl.artifacts.uris import Guard
from pawl.errors import ConflictError, IntegrityError, UserError

SCHEMES = ("file", "s3", "http", "https")
_CHUNK = 1 << 20


class Backend(Protocol):
    """What a kind of store can do; paths are relative to the store's URI. OSErrors mean what they
    say: FileNotFoundError and FileExistsError are answers."""

    def put_file(self, path: str, source: Path) -> None: ...

    def replace_file(self, path: str, source: Path) -> None: ...

    def open(self, path: str) -> Any: ...

    def size(self, path: str) -> int: ...

    def modified(self, path: str) -> float: ...

    def list(self, prefix: str) -> list[str]: ...

    def delete(self, path: str) -> None: ...

    def close(self) -> None: ...


class Store:
    """Blobs below `uri`. A context manager; a closed store opens again when it is used."""

    def __init__(self, uri: str, backend: Backend, retry: Retry) -> None:
        self.uri = uri.rstrip("/")
        self._backend = backend
        self._retry = retry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends its connections."""
        self._backend.close()

    def __repr__(self) -> str:
        return f"Store({redact(self.uri)})"

    def uri_of(self, path: str) -> str:
        """The full URI of a blob."""
        return f"{self.uri}/{_checked(path)}"

    def put(self, path: str, data: bytes) -> None:
        """Writes a blob that does not exist yet, whole or not at all; else ConflictError."""
        with tempfile.TemporaryDirectory(prefix="pawl-put-") as folder:
            source = Path(folder) / "blob"
            source.write_bytes(data)
            self.put_file(path, source)

    def put_file(self, path: str, source: Path) -> None:
        """As `put`, from a local file."""
        tries = 0

        def attempt() -> None:
            nonlocal tries
            tries += 1
            self._backend.put_file(_checked(path), source)

        try:
            self._retry.call(f"writing {self._shown(path)}", attempt)
        except FileExistsError as error:
            # An earlier try may have been stored although its answer was lost.
            if tries > 1 and self._same(path, source):
                return
            raise ConflictError(f"{self._shown(path)} exists already") from error

    def replace_file(self, path: str, source: Path) -> None:
        """Writes a blob, whole, whether there is one or not: of users' data, never of artifacts."""
        self._retry.call(
            f"writing {self._shown(path)}",
            lambda: self._backend.replace_file(_checked(path), source),
        )

    def get(self, path: str, *, max_bytes: int) -> bytes:
        """A blob's content. FileNotFoundError when there is none, IntegrityError above
        `max_bytes`."""

        def attempt() -> bytes:
            with self._backend.open(_checked(path)) as blob:
                data: bytes = blob.read(max_bytes + 1)
                return data

        data = self._retry.call(f"reading {self._shown(path)}", attempt)
        if len(data) > max_bytes:
            raise IntegrityError(f"{self._shown(path)} is larger than {max_bytes} bytes")
        return data

    def get_file(self, path: str, target: Path, *, max_bytes: int) -> None:
        """Streams a blob into `target`."""

        def attempt() -> None:
            left = max_bytes
            with self._backend.open(_checked(path)) as blob, target.open("wb") as out:
                while chunk := blob.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise IntegrityError(
                            f"{self._shown(path)} is larger than {max_bytes} bytes"
                        )
                    out.write(chunk)

        self._retry.call(f"reading {self._shown(path)}", attempt)

    def exists(self, path: str) -> bool:
        """Whether there is a blob at `path`."""
        try:
            self._retry.call(
                f"looking for {self._shown(path)}", lambda: self._backend.size(_checked(path))
            )
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        """Bytes of a blob. FileNotFoundError when there is none."""
        return self._retry.call(
            f"looking for {self._shown(path)}", lambda: self._backend.size(_checked(path))
        )

    def modified(self, path: str) -> float:
        """When a blob was written, in seconds since 1970. FileNotFoundError when there is none."""
        return self._retry.call(
            f"looking for {self._shown(path)}", lambda: self._backend.modified(_checked(path))
        )

    def list(self, prefix: str) -> list[str]:
        """Paths of the blobs below the folder `prefix`, sorted."""
        found = self._retry.call(
            f"listing {self._shown(prefix)}", lambda: self._backend.list(_checked(prefix))
        )
        return sorted(found)

    def delete(self, path: str) -> None:
        """Removes a blob. FileNotFoundError when a store notices that there is none."""
        self._retry.call(
            f"deleting {self._shown(path)}", lambda: self._backend.delete(_checked(path))
        )

    def _same(self, path: str, source: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="pawl-get-") as folder:
            there = Path(folder) / "blob"
            self.get_file(path, there, max_bytes=source.stat().st_size)
            return file_digest(there) == file_digest(source)

    def _shown(self, path: str) -> str:
        return redact(f"{self.uri}/{path}")


def open_store(uri: str, *, retry: Retry | None = None, guard: Guard | None = None) -> Store:
    """The store at `uri`. UserError when the scheme is not one of `SCHEMES`. `guard`: which web
    servers may be asked, by default as this process was told."""
    parts = urlsplit(uri)
    backend: Backend
    if parts.scheme == "file":
        backend = LocalBackend(local_path(uri))
    elif parts.scheme in SCHEMES:
        backend = RemoteBackend(uri, guard)
    else:
        raise UserError(
            f"{redact(uri)}: a store's URI begins with " + ", ".join(f"{s}://" for s in SCHEMES)
        )
    return Store(uri, backend, retry or Retry())


def local_path(uri: str) -> Path:
    """The path that a file:// URI names."""
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise UserError(f"{redact(uri)}: a local file is written file:///path, with three slashes")
    return Path(unquote(parts.path))


def _checked(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise IntegrityError(f'"{path[:120]}" leads out of the store')
    return str(pure)


class LocalBackend:
    """A folder. New files appear whole: written aside, flushed, then linked to their name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_file(self, path: str, source: Path) -> None:
        self._write(path, source, os.link)

    def replace_file(self, path: str, source: Path) -> None:
        self._write(path, source, os.replace)

    def _write(self, path: str, source: Path, name: Callable[[Path, Path], None]) -> None:
        target = self._root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:  # a file where a folder must be is no conflict
            raise NotADirectoryError(str(error)) from error
        with _scratch_file(target.parent) as (descriptor, scratch):
            with os.fdopen(descriptor, "wb") as out, source.open("rb") as blob:
                shutil.copyfileobj(blob, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
            scratch.chmod(0o644)
            name(scratch, target)

    def open(self, path: str) -> Any:
        return (self._root / path).open("rb")

    def size(self, path: str) -> int:
        target = self._root / path
        if not target.is_file():
            raise FileNotFoundError(target)
        return target.stat().st_size

    def modified(self, path: str) -> float:
        return (self._root / path).stat().st_mtime

    def list(self, prefix: str) -> list[str]:
        top = self._root / prefix
        return [
            found.relative_to(self._root).as_posix()
            for found in top.rglob("*")
            if found.is_file() and not found.name.startswith(_SCRATCH)
        ]

    def delete(self, path: str) -> None:
        (self._root / path).unlink()

    def close(self) -> None:
        """There is nothing to end."""


_SCRATCH = ".pawl-part-"


@contextmanager
def _scratch_file(folder: Path) -> Iterator[tuple[int, Path]]:
    descriptor, name = tempfile.mkstemp(prefix=_SCRATCH, dir=folder)
    try:
        yield descriptor, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
