"""Keeps what was read (`data.pin`), and reads exactly that again.

A file that is read again must have the digest that it had. S3 gives a version by its id for as long
as the bucket keeps it; a snapshot is the store's own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from pawl.artifacts import pins
from pawl.artifacts.canonical import file_digest, hex_of
from pawl.artifacts.pins import How, Pinned, PinnedFile
from pawl.artifacts.redact import redact
from pawl.artifacts.remote import filesystem
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.store import Store
from pawl.errors import ConflictError, DataError
from pawl.training import log
from pawl.training.source import SourceFile

_THREADS = 8
Files = dict[str, list[SourceFile]]


def keep(store: Store, namespace: str, digest: str, how: How, files: Files) -> None:
    """Pins what was read; `snapshot` copies what the store does not have yet."""
    found = [file for group in files.values() for file in group]
    if how == "snapshot":
        with ThreadPoolExecutor(_THREADS) as pool:
            copied = sum(pool.map(lambda file: _copied(store, namespace, file), found))
        log.info("data are in the store", files=len(found), copied=copied)
    every = tuple(
        PinnedFile(
            source=source,
            name=file.name if how == "snapshot" else file.address,
            format=file.format,
            gzip=file.gzip,
            sha256=file.sha256,
            size_bytes=file.path.stat().st_size,
            version=file.version if how == "version" else None,
        )
        for source, group in files.items()
        for file in group
    )
    pins.put(store, namespace, digest, how, Pinned(files=every))


def _copied(store: Store, namespace: str, file: SourceFile) -> bool:
    path = pins.blob_path(namespace, file.sha256)
    if store.exists(path):
        return False
    try:
        store.put_file(path, file.path)
    except ConflictError:  # another run was quicker
        return False
    return True


def fetch(store: Store, namespace: str, pinned: Pinned, into: Path) -> Files:
    """The pinned files, below `into`. DataError when one is gone or is another now."""
    into.mkdir(parents=True, exist_ok=True)
    paths = [into / f"{i:05d}" for i in range(len(pinned.files))]
    versioned = any(file.version for file in pinned.files)
    opened: AbstractContextManager[Any] = nullcontext()
    if versioned:
        opened = filesystem("s3", versions=True)
    with opened as s3, ThreadPoolExecutor(_THREADS) as pool:

        def get(file: PinnedFile, path: Path) -> None:
            try:
                if file.version is None:
                    blob = pins.blob_path(namespace, file.sha256)
                    store.get_file(blob, path, max_bytes=file.size_bytes)
                else:
                    name = f"{file.name}?versionId={file.version}"
                    PATIENT.call(f"reading {redact(name)}", lambda: s3.get_file(name, str(path)))
            except FileNotFoundError as error:
                raise _gone(file, "is not there any more") from error
            if hex_of(file_digest(path)) != file.sha256:
                raise _gone(file, "has another content now")

        list(pool.map(get, pinned.files, paths))
    files: Files = {"": []}
    for file, path in zip(pinned.files, paths, strict=True):
        read = SourceFile(
            redact(file.name), path, file.format, file.sha256, file.gzip, file.name, file.version
        )
        files.setdefault(file.source, []).append(read)
    log.info("pinned data read", files=len(paths))
    return files


def _gone(file: PinnedFile, what: str) -> DataError:
    where = "the snapshot" if file.version is None else f"version {file.version}"
    return DataError(f"{where} of {redact(file.name)} {what}", reason="PinnedDataGone")
