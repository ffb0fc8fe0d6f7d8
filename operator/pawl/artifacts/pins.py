"""What a run read, kept so that it can be read again: `data.pin` of a TrainingJob.

    snapshots/<namespace>/files/<sha256>            a file's bytes, once for all runs (snapshot)
    snapshots/<namespace>/<digest>/<how>.json       Pinned: the files that make up data of a digest

The digest of the data (`lineage.data.digest`) is all that is needed to find the record. Each is put
if absent: it says the same whoever wrote it. Nothing here is ever removed by Pawl.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationError

from pawl.artifacts.canonical import canonical_json, hex_of
from pawl.artifacts.records import FORMAT_VERSION, Record
from pawl.artifacts.store import Store
from pawl.errors import ConflictError, IntegrityError

How = Literal["snapshot", "version"]
_MOST_BYTES = 16 << 20


class PinnedFile(Record):
    """One file: as `source` (empty: data.uri) calls it, and what it holds. `version` is its S3
    version id; without one its bytes are in the store."""

    source: str = ""
    name: str
    format: Literal["csv", "parquet", "jsonl"]
    gzip: bool = False
    sha256: str
    size_bytes: int
    version: str | None = None


class Pinned(Record):
    """All files of the data, in the order in which they were read."""

    format_version: int = FORMAT_VERSION
    files: tuple[PinnedFile, ...]


def blob_path(namespace: str, sha256: str) -> str:
    """Where a file's bytes are in the store."""
    return f"snapshots/{namespace}/files/{sha256}"


def record_path(namespace: str, digest: str, how: How) -> str:
    """Where the record of data with this digest is."""
    return f"snapshots/{namespace}/{hex_of(digest)}/{how}.json"


def put(store: Store, namespace: str, digest: str, how: How, pinned: Pinned) -> None:
    """Writes the record, unless there is one."""
    try:
        store.put(record_path(namespace, digest, how), canonical_json(pinned))
    except ConflictError:
        return


def find(store: Store, namespace: str, digest: str) -> Pinned | None:
    """The record of data with this digest, of a snapshot before one of versions; None when nobody
    has pinned them. IntegrityError when it is not readable."""
    hows: tuple[How, ...] = ("snapshot", "version")
    for how in hows:
        path = record_path(namespace, digest, how)
        try:
            return Pinned.model_validate_json(store.get(path, max_bytes=_MOST_BYTES))
        except FileNotFoundError:
            continue
        except ValidationError as error:
            raise IntegrityError(f"{path} is no record of pinned data") from error
    return None
