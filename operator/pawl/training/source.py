"""Finding the files that a data URI names, and bringing them here.

`file://`, `pvc://`, `s3://` and `http(s)://`; one file, a folder (all data files below it) or a
glob. Files keep the order of their names, so row numbers in messages can be found again. The digest
of the data is over content only: sha256 of the sorted sha256 of the files, so renaming or moving a
file does not look like new data.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit

from pawl.artifacts.canonical import file_digest, hex_of
from pawl.artifacts.redact import redact
from pawl.artifacts.remote import filesystem
from pawl.artifacts.retry import Retry, describe
from pawl.artifacts.store import local_path
from pawl.errors import DataError

Format = Literal["csv", "parquet", "jsonl"]
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_MOST_FILES = 10_000
_THREADS = 8


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the data, on this machine. `version` is its S3 version id, where asked for."""

    name: str  # as the source calls it, redacted
    path: Path
    format: Format
    sha256: str
    gzip: bool
    address: str = ""  # as the source calls it
    version: str | None = None


def collect(
    uri: str,
    format_: str,
    into: Path,
    *,
    claim: Path | None = None,
    versions: bool = False,
    retry: Retry | None = None,
) -> list[SourceFile]:
    """The files that `uri` names, fetched below `into` where they are remote. `claim` is where the
    claim of a pvc:// URI is mounted. With `versions` what is read of S3 are versions, by their ids.

    DataError when there are none or a format is not known; StoreError when the source does not
    answer.
    """
    scheme = urlsplit(uri).scheme
    ids: list[str | None] = []
    if scheme in ("file", "pvc"):
        paths = local_files(uri, claim)
        names = [str(path) for path in paths]
    elif scheme in ("s3", "http", "https"):
        names, paths, ids = _remote(uri, scheme, into, retry or Retry(), versions)
    else:
        raise DataError(
            f"data.uri {redact(uri)}: {scheme or 'no scheme'} is not supported; "
            "use file, pvc, s3, http or https"
        )
    kinds = [_kind(name, format_) for name in names]
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            digests = list(pool.map(file_digest, paths))
        return [
            SourceFile(redact(name), path, kind, hex_of(sha), _is_gzip(path), name, id_)
            for name, path, kind, sha, id_ in zip(
                names, paths, kinds, digests, ids or [None] * len(names), strict=True
            )
        ]
    except OSError as error:
        raise DataError(f"data.uri {redact(uri)} cannot be read: {describe(error)}") from error


def claim_name(uri: str) -> str:
    """Of a pvc:// URI, else empty."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme == "pvc" else ""


def content_digest(files: list[SourceFile]) -> str:
    """The digest of the data: over the sorted digests of the files."""
    joined = "\n".join(sorted(file.sha256 for file in files))
    return "sha256:" + hashlib.sha256(joined.encode()).hexdigest()


def _kind(name: str, format_: str) -> Format:
    if format_ in ("csv", "parquet", "jsonl"):
        return cast(Format, format_)
    found = _ENDINGS.get(_ending(name))
    if found is None:
        raise DataError(
            f"{redact(name)}: its name does not tell its format; set data.format to csv, parquet "
            "or jsonl"
        )
    return found


def _ending(name: str) -> str:
    path = PurePosixPath(urlsplit(name).path if "://" in name else name)
    return (PurePosixPath(path.stem) if path.suffix == ".gz" else path).suffix.lower()


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _wanted(names: Iterable[str]) -> list[str]:
    """Data files only, hidden and bookkeeping ones (`_SUCCESS`) left out, by name."""
    return sorted(
        name
        for name in names
        if not any(part.startswith((".", "_")) for part in PurePosixPath(name).parts[-1:])
        and _ending(name) in _ENDINGS
    )


def _bounded(uri: str, names: list[str]) -> list[str]:
    if not names:
        raise DataError(f"data.uri {redact(uri)}: there are no data files", reason="DataNotFound")
    if len(names) > _MOST_FILES:
        raise DataError(f"data.uri {redact(uri)}: {len(names)} files; at most {_MOST_FILES}")
    return names


def _claimed(uri: str, claim: Path | None) -> Path:
    """pvc://name/a/b is a/b in the claim."""
    if claim is None:
        raise DataError(f"data.uri {redact(uri)}: the claim is not mounted")
    inside = PurePosixPath(unquote(urlsplit(uri).path).lstrip("/"))
    if ".." in inside.parts:
        raise DataError(f"data.uri {redact(uri)} leads out of the claim")
    return claim / inside


def local_files(uri: str, claim: Path | None) -> list[Path]:
    """Those of a file:// or pvc:// URI. DataError when there are none."""
    path = local_path(uri) if urlsplit(uri).scheme == "file" else _claimed(uri, claim)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = _wanted(str(p) for p in path.rglob("*") if p.is_file())
    else:
        found = sorted(p for p in glob.glob(str(path), recursive=True) if Path(p).is_file())
        if not found and not glob.has_magic(str(path)):
            raise DataError(f"data.uri {redact(uri)} does not exist", reason="DataNotFound")
    return [Path(name) for name in _bounded(uri, found)]


def _remote(
    uri: str, scheme: str, into: Path, retry: Retry, versions: bool
) -> tuple[list[str], list[Path], list[str | None]]:
    """Names, where the files are now, and version ids."""
    with filesystem(scheme) as fs:
        names = retry.call(f"listing {redact(uri)}", lambda: _remote_names(fs, uri, scheme))
    into.mkdir(parents=True, exist_ok=True)
    paths = [into / f"{i:05d}{_ending(name)}" for i, name in enumerate(names)]
    with filesystem(scheme, versions=versions) as fs, ThreadPoolExecutor(_THREADS) as pool:

        def get(name: str, path: Path) -> str | None:
            try:
                id_ = retry.call(f"reading {redact(name)}", lambda: _version(fs, name, versions))
                versioned = f"{name}?versionId={id_}" if id_ else name
                retry.call(f"reading {redact(name)}", lambda: fs.get_file(versioned, str(path)))
            except FileNotFoundError as error:
                raise DataError(f"{redact(name)} does not exist", reason="DataNotFound") from error
            return id_

        return names, paths, list(pool.map(get, names, paths))


def _version(fs: Any, name: str, versions: bool) -> str | None:
    """The id of the newest version. An object without one may be overwritten."""
    if not versions:
        return None
    found = fs.info(name).get("VersionId")
    if found in (None, "", "null"):
        raise DataError(
            f"data.pin version: the bucket of {redact(name)} keeps no versions; turn them on, or "
            "use snapshot",
            reason="NotVersioned",
        )
    return str(found)


def _remote_names(fs: Any, uri: str, scheme: str) -> list[str]:
    if scheme != "s3":
        return [uri]  # a web server has no folders
    return list(objects(fs, uri))


def objects(fs: Any, uri: str) -> dict[str, dict[str, Any]]:
    """Those of an s3:// URI, and what the bucket tells of each. DataError when there are none."""
    path = str(fs._strip_protocol(uri))
    if glob.has_magic(path):
        found = fs.glob(path, detail=True)
        return {name: found[name] for name in _bounded(uri, sorted(found))}
    try:
        info = fs.info(path)
    except FileNotFoundError as error:
        raise DataError(f"data.uri {redact(uri)} does not exist", reason="DataNotFound") from error
    if info["type"] != "directory":
        return {path: info}
    found = fs.find(path, detail=True)
    return {name: found[name] for name in _bounded(uri, _wanted(found))}
