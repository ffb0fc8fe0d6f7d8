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
from pawl.artifacts import canonical, pins
from pawl.artifacts.records import SourceLineage
from pawl.artifacts.redact import redact
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import RunConfig
from pawl.artifacts.store import open_store
from pawl.training import log, pinned, source, validators
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


def gather(data: Data, scratch: Path, config: RunConfig) -> Gathered:
    """Reads everything; `scratch` holds remote files meanwhile. Data of a digest that the run must
    have are read as they were pinned, if they were; others are, where the spec says so. DataError
    where they cannot be what the spec says; StoreError when a source does not answer. Columns as
    of a time are looked for, and kept, in the store."""
    try:
        files, digest = _files(data, scratch, config)
        return _table(data, files, digest, Materialised(config.store, config.namespace))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _files(data: Data, scratch: Path, config: RunConfig) -> tuple[pinned.Files, str]:
    wanted = expected_digest(config)
    if data.pin == "none" and wanted is None:
        files = collect(data, scratch)
        return files, content_digest(files)
    with open_store(config.store, retry=PATIENT) as store:
        known = pins.find(store, config.namespace, wanted) if wanted else None
        if known is not None:
            files = pinned.fetch(store, config.namespace, known, scratch)
            return files, content_digest(files)
        files = collect(data, scratch)
        digest = content_digest(files)
        if data.pin != "none":
            pinned.keep(store, config.namespace, digest, data.pin, files)
        return files, digest


def expected_digest(config: RunConfig) -> str | None:
    """What the run's data must have, if it must: those of a search are the same for all trials."""
    return config.trial.data_digest if config.trial else config.data_digest


def _table(data: Data, files: pinned.Files, digest: str, kept: Materialised) -> Gathered:
    table = read_table(files[""], text_columns(data))
    log.info("data read", files=len(files[""]), rows=table.num_rows, columns=table.num_columns)
    warnings: list[str] = []
    for number, joined in enumerate(data.sources):
        from pawl.training.joins import append  # noqa: PLC0415 - pandas is slow to import

        make = partial(_columns, table, files[joined.name], joined, data.time_column)
        if joined.as_of is not None:
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
    return Gathered(table, digest, lineage, tuple(warnings))


def _columns(
    table: pa.Table, files: list[SourceFile], joined: Source, time: str | None
) -> pa.Table:
    from pawl.training.joins import columns  # noqa: PLC0415 - pandas is slow to import

    other = read_table(files, frozenset(joined.key))
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
    keys = {name for joined in data.sources for name in joined.key}
    return frozenset({*data.id_columns, *keys, *([data.group_column] if data.group_column else [])})


def collect(data: Data, scratch: Path) -> pinned.Files:
    """The files of data.uri, named "", and those of each source by its name."""
    log.info("reading data", uri=data.uri, sources=len(data.sources))
    return {
        name: source.collect(
            one.uri,
            one.format,
            scratch / f"source-{i}",
            claim=_claim(one.uri, data.uri),
            versions=data.pin == "version",
        )
        for i, (name, one) in enumerate(_named(data).items())
    }


def validator(data: Data, now: float) -> str | None:
    """Of all files, before they are read: the digest of what their sources tell of them at `now`
    (s since 1970). None when that cannot vouch for what is in them. Errors as `collect`."""
    told = {
        name: validators.of(one.uri, _claim(one.uri, data.uri), now)
        for name, one in _named(data).items()
    }
    return None if None in told.values() else canonical.digest(canonical.canonical_json(told))


def _named(data: Data) -> dict[str, Data | Source]:
    """What is read, by the names in `pinned.Files`."""
    return {"": data, **{joined.name: joined for joined in data.sources}}


def content_digest(files: pinned.Files) -> str:
    """Of what `collect` found."""
    rows = source.content_digest(files[""])
    if len(files) == 1:
        return rows
    lines = [f"{name} {source.content_digest(found)}" for name, found in sorted(files.items())]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _claim(uri: str, rows: str) -> Path | None:
    """Where the claim of a pvc:// URI is mounted: that of data.uri is apart."""
    name = source.claim_name(uri)
    folder = constants.ENV_CLAIM_DIR if name == source.claim_name(rows) else None
    mounted = os.environ.get(folder or constants.ENV_CLAIMS_DIR)
    return (Path(mounted) if folder else Path(mounted) / name) if name and mounted else None
