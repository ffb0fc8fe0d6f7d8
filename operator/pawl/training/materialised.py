"""Columns of a point-in-time join, kept in the store for whoever needs the same again: other
trials, runs and TrainingJobs of the namespace.

`features/<namespace>/<digest>.parquet`, where the digest is over all that decides them: the content
of the files, how they are read and joined, and the version of Pawl. What is kept has as many rows
as the table that it belongs to; what cannot be read is made anew. Nothing refers to these files:
they may be deleted at any time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pawl import __version__
from pawl.artifacts.canonical import canonical_json, digest, hex_of
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.store import Store, open_store
from pawl.training import log

_MAX_BYTES = 16 << 30


@dataclass(frozen=True, slots=True)
class Materialised:
    """The columns that a namespace has in a store."""

    store: str
    namespace: str

    def get(self, key: Any, rows: int, make: Callable[[], pa.Table]) -> pa.Table:
        """The columns that `key` decides, or what `make` gives, which is then kept. StoreError when
        the store does not answer."""
        name = hex_of(digest(canonical_json({"pawl": __version__, "of": key})))
        path = f"features/{self.namespace}/{name}.parquet"
        with (
            open_store(self.store, retry=PATIENT) as store,
            tempfile.TemporaryDirectory(prefix="pawl-features-") as folder,
        ):
            file = Path(folder) / "columns.parquet"
            found = _read(store, path, file)
            if found is not None and found.num_rows == rows:
                log.info("features materialised before", path=path)
                return found
            made = make()
            pq.write_table(made, file, compression="zstd", compression_level=1)
            store.replace_file(path, file)
            log.info("features materialised", path=path, columns=made.num_columns)
        return made


def _read(store: Store, path: str, file: Path) -> pa.Table | None:
    if not store.exists(path):
        return None
    try:
        store.get_file(path, file, max_bytes=_MAX_BYTES)
        return pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        log.warning(f"what is at {path} cannot be read: {error}")
        return None
