"""The writer of a pod: finished segments -> parquet files of the store.

It never ends by an error: a store that does not answer is tried again, and what cannot be read is
said and dropped. On SIGTERM it goes on until the servers are gone and the folder is empty, or it is
killed.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic, sleep, time
from typing import IO

import pyarrow.parquet as pq

from pawl.artifacts.redact import redact
from pawl.artifacts.retry import describe
from pawl.artifacts.store import Store
from pawl.capture import spool
from pawl.capture.expire import expire
from pawl.capture.names import path_of
from pawl.capture.tables import read_segment
from pawl.errors import ConflictError, PawlError

LOGGER = logging.getLogger(__name__)
_PAUSE, _FIRST_DELAY, _MAX_DELAY = 1.0, 5.0, 60.0
#: When the servers are on their way out.
_LAST_PAUSE = 0.2
_EXPIRE_SECONDS = 6 * 3600.0


class Writer:
    """Takes segments out of `folder`; files older than `retention` seconds are deleted."""

    def __init__(self, folder: Path, store: Store, retention: float | None = None) -> None:
        self._folder = folder
        self._store = store
        self._retention = retention
        self._expire_at = 0.0

    def run(self, stop: Event) -> None:
        """Until `stop` is set and nothing more can come."""
        LOGGER.info("ready", extra={"fields": {"store": redact(self._store.uri)}})
        delay = _FIRST_DELAY
        while True:
            try:
                self.once()
                self._expire()
                delay, wait = _FIRST_DELAY, _PAUSE
            except Exception as error:
                LOGGER.warning("nothing is written", extra={"fields": {"error": describe(error)}})
                wait, delay = delay, min(2 * delay, _MAX_DELAY)
            if stop.is_set() and not spool.names(self._folder):
                return
            if stop.is_set():
                sleep(min(wait, _LAST_PAUSE))
            else:
                stop.wait(wait)

    def once(self) -> int:
        """Writes what is finished; how many segments. StoreError leaves the rest for later."""
        count = 0
        for path in spool.names(self._folder):
            with spool.claim(path) as file:
                if file is not None:
                    self._take(path, file)
                    path.unlink(missing_ok=True)
                    count += 1
        return count

    def _take(self, path: Path, file: IO[bytes]) -> None:
        try:
            read = read_segment(file)
        except Exception as error:
            LOGGER.error(
                "a segment cannot be read and is dropped",
                extra={"fields": {"segment": path.name, "error": describe(error)}},
            )
            return
        if read is None:
            return
        target = path_of(read.head.kind, read.head.version, read.first, spool.name_of(path))
        with tempfile.TemporaryDirectory(prefix="pawl-capture-") as scratch:
            made = Path(scratch) / "rows.parquet"
            pq.write_table(read.table, made, compression="zstd")
            with suppress(ConflictError):  # written before, by a writer that died then
                self._store.put_file(target, made)
        LOGGER.info("written", extra={"fields": {"file": target, "rows": read.table.num_rows}})

    def _expire(self) -> None:
        if self._retention is None or monotonic() < self._expire_at:
            return
        self._expire_at = monotonic() + _EXPIRE_SECONDS
        try:
            count, _ = expire(self._store, time() - self._retention)
        except PawlError as error:
            LOGGER.warning("nothing expires", extra={"fields": {"error": str(error)}})
            return
        if count:
            LOGGER.info("expired", extra={"fields": {"files": count}})
