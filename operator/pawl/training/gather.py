"""The rows of a run: the files of data.uri and of the sources joined to them, as one table.

The digest is of the content of all files: of the rows alone it is theirs; with sources it is the
sha256 of a line for the rows and one for each source, by name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pawl import constants
from pawl.api.data import Data
from pawl.artifacts.records import SourceLineage
from pawl.artifacts.redact import redact
from pawl.training import log, source
from pawl.training.source import SourceFile
from pawl.training.tables import read_table


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read."""

    table: pa.Table
    digest: str
    sources: tuple[SourceLineage, ...] = ()
    warnings: tuple[str, ...] = ()


def gather(data: Data, scratch: Path) -> Gathered:
    """Reads everything; `scratch` holds remote files meanwhile. DataError where it cannot be what
    the spec says; StoreError when a source does not answer."""
    try:
        return _gather(data, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _gather(data: Data, scratch: Path) -> Gathered:
    files = collect(data, scratch)
    table = read_table(files[""], text_columns(data))
    log.info("data read", files=len(files[""]), rows=table.num_rows, columns=table.num_columns)
    warnings: list[str] = []
    for joined in data.sources:
        from pawl.training.joins import join  # noqa: PLC0415 - pandas is slow to import

        other = read_table(files[joined.name], frozenset(joined.on))
        table, warning = join(table, other, joined, data.time_column)
        warnings += [warning] if warning else []
        log.info("source joined", source=joined.name, rows=other.num_rows)
    lineage = tuple(
        SourceLineage(
            name=joined.name,
            uri=redact(joined.uri),
            digest=source.content_digest(files[joined.name]),
        )
        for joined in data.sources
    )
    return Gathered(table, digest(files), lineage, tuple(warnings))


def text_columns(data: Data) -> frozenset[str]:
    """Columns that are read as text whatever they look like."""
    keys = {name for joined in data.sources for name in joined.on}
    return frozenset({*data.id_columns, *keys, *([data.group_column] if data.group_column else [])})


def collect(data: Data, scratch: Path) -> dict[str, list[SourceFile]]:
    """The files of data.uri, named "", and those of each source by its name."""
    log.info("reading data", uri=data.uri, sources=len(data.sources))
    mounted = os.environ.get(constants.ENV_CLAIM_DIR)
    found = {
        "": source.collect(
            data.uri, data.format, scratch / "rows", claim=Path(mounted) if mounted else None
        )
    }
    for i, joined in enumerate(data.sources):
        claim = _claim(joined.uri, data.uri)
        into = scratch / f"source-{i}"
        found[joined.name] = source.collect(joined.uri, joined.format, into, claim=claim)
    return found


def digest(files: dict[str, list[SourceFile]]) -> str:
    """Of what `collect` found."""
    rows = source.content_digest(files[""])
    if len(files) == 1:
        return rows
    lines = [f"{name} {source.content_digest(found)}" for name, found in sorted(files.items())]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _claim(uri: str, rows: str) -> Path | None:
    """Where the claim of a source's pvc:// URI is mounted: that of the rows is apart."""
    name = source.claim_name(uri)
    folder = constants.ENV_CLAIM_DIR if name == source.claim_name(rows) else None
    mounted = os.environ.get(folder or constants.ENV_CLAIMS_DIR)
    return (Path(mounted) if folder else Path(mounted) / name) if name and mounted else None
