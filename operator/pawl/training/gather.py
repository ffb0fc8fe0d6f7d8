"""The rows of a run: the files of data.uri and of the sources joined to them, as one table.

The digest is of the content of all files: of the rows alone it is theirs; with sources it is the
sha256 of a line for the rows and one for each source, by name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from pawl import constants
from pawl.api.data import Data, Source
from pawl.artifacts.records import SourceLineage
from pawl.artifacts.redact import redact
from pawl.training import log, source
from pawl.training.materialised import Materialised
from pawl.training.source import SourceFile
from pawl.training.tables import read_table


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read."""

    table: pa.Table
    digest: str
    sources: tuple[SourceLineage, ...] = ()
    warnings: tuple[str, ...] = ()


def gather(data: Data, scratch: Path, kept: Materialised | None = None) -> Gathered:
    """Reads everything; `scratch` holds remote files meanwhile. DataError where it cannot be what
    the spec says; StoreError when a source does not answer. `kept`: where columns as of a time are
    looked for and kept."""
    try:
        return _gather(data, scratch, kept)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _gather(data: Data, scratch: Path, kept: Materialised | None) -> Gathered:
    files = collect(data, scratch)
    table = read_table(files[""], text_columns(data))
    log.info("data read", files=len(files[""]), rows=table.num_rows, columns=table.num_columns)
    warnings: list[str] = []
    for number, joined in enumerate(data.sources):
        from pawl.training.joins import append  # noqa: PLC0415 - pandas is slow to import

        make = partial(_columns, table, files[joined.name], joined, data.time_column)
        if kept is not None and joined.as_of is not None:
            made = kept.get(_key(data, files, number), table.num_rows, make)
        else:
            made = make()
        table, warning = append(table, made, joined)
        warnings += [warning] if warning else []
    lineage = tuple(
        SourceLineage(
            name=joined.name,
            uri=redact(joined.uri),
            digest=source.content_digest(files[joined.name]),
        )
        for joined in data.sources
    )
    return Gathered(table, digest(files), lineage, tuple(warnings))


def _columns(
    table: pa.Table, files: list[SourceFile], joined: Source, time: str | None
) -> pa.Table:
    from pawl.training.joins import columns  # noqa: PLC0415 - pandas is slow to import

    other = read_table(files, frozenset(joined.on))
    made = columns(table, other, joined, time)
    log.info("source joined", source=joined.name, rows=other.num_rows)
    return made


def _key(data: Data, files: dict[str, list[SourceFile]], number: int) -> Any:
    """All that decides the columns of a source: the rows, the sources before it, and itself."""
    return {
        "rows": [source.content_digest(files[""]), data.format, sorted(text_columns(data))],
        "time": data.time_column,
        "sources": [
            [source.content_digest(files[one.name]), one.model_dump(exclude={"name", "uri"})]
            for one in data.sources[: number + 1]
        ],
    }


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
