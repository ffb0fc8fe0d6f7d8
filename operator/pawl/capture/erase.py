"""Rows of one value are erased: every file that has some is written anew without them.

The truth about erased predictions goes first, by their ids, then the predictions: a run that dies
in between can be repeated. What replaces a file is there before the file is deleted, under a name
with its digest, so it is no harm either if that happens twice; rows that stand in both for a moment
are counted once by `join`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pawl.artifacts.canonical import file_digest, hex_of
from pawl.artifacts.store import Store
from pawl.capture import names as n
from pawl.capture.expire import files
from pawl.capture.keyed import keyed_hash, text_of
from pawl.capture.tables import About
from pawl.errors import ConflictError, UserError

_MAX_BYTES = 1 << 30
_REPLACEMENT = re.compile(r"(~[0-9a-f]{12})?\.parquet$")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows whose `column` is one of `texts`, or of `hashes` where the column is hashed."""

    column: str
    texts: frozenset[str]
    hashes: frozenset[str] = frozenset()

    def among(self, table: pa.Table) -> list[bool]:
        """Which rows of a table are wanted. UserError when only a key could tell."""
        if self.column not in table.column_names:
            return [False] * table.num_rows
        texts = self.texts
        if self.column in about(table).hashed:
            if not self.hashes:
                raise UserError(f"column {self.column} is hashed; its key is needed to find rows")
            texts = self.hashes
        values = table.column(self.column).to_pylist()
        return [value is not None and text_of(value) in texts for value in values]


@dataclass(frozen=True, slots=True)
class Erased:
    """Rows that are gone, and files that had them."""

    predictions: int
    feedback: int
    files: int


def erase(store: Store, column: str, value: str, keys: Sequence[bytes] = ()) -> Erased:
    """Erases the predictions whose `column` is `value` (as text), and the truth about them.
    UserError when no file has the column, or it is hashed and there is no key; then nothing was
    erased."""
    hashes = frozenset(keyed_hash(key, value) for key in keys)
    wanted = Wanted(column, frozenset({value}), hashes)
    ids = {value} if column == n.ID else set()
    paths: list[str] = []
    known = False
    for path, table in tables(store, files(store, "predictions")):
        known = known or column in table.column_names
        found = table.filter(pa.array(wanted.among(table), pa.bool_()))
        if found.num_rows:
            paths.append(path)
            ids.update(found.column(n.ID).to_pylist())
    if not known:
        raise UserError(f"no captured file has a column {column}")
    told, rewritten = _rewrite(store, files(store, "feedback"), Wanted(n.ID, frozenset(ids)))
    made, others = _rewrite(store, paths, wanted)
    return Erased(made, told, rewritten + others)


def tables(store: Store, paths: Iterable[str]) -> Iterator[tuple[str, pa.Table]]:
    """Path and content of files, without those that have gone."""
    with tempfile.TemporaryDirectory(prefix="pawl-capture-") as scratch:
        target = Path(scratch) / "rows.parquet"
        for path in paths:
            try:
                store.get_file(path, target, max_bytes=_MAX_BYTES)
            except FileNotFoundError:  # it expired
                continue
            yield path, pq.ParquetFile(target).read()


def about(table: pa.Table) -> About:
    """What a file says of itself."""
    return About.model_validate_json((table.schema.metadata or {}).get(n.ABOUT, b'{"model": ""}'))


def _rewrite(store: Store, paths: Iterable[str], wanted: Wanted) -> tuple[int, int]:
    """How many rows went, of how many files."""
    rows = count = 0
    for path, table in tables(store, paths):
        gone = wanted.among(table)
        if not any(gone):
            continue
        _replace(store, path, table.filter(pa.array([not one for one in gone])))
        rows += sum(gone)
        count += 1
    return rows, count


def _replace(store: Store, path: str, left: pa.Table) -> None:
    if left.num_rows:
        with tempfile.TemporaryDirectory(prefix="pawl-capture-") as scratch:
            made = Path(scratch) / "rows.parquet"
            pq.write_table(left, made, compression="zstd")
            digest = hex_of(file_digest(made))[:12]
            with suppress(ConflictError):  # by a run that died before it deleted the old file
                store.put_file(_REPLACEMENT.sub(f"~{digest}.parquet", path), made)
    with suppress(FileNotFoundError):
        store.delete(path)
