"""`runs/<uid>-<run>/result.json`: what a run gave.

The first that is written stands, whichever try of the run wrote it: a pod that is repeated on
another node tells the same, also when the data have changed since.
"""

from __future__ import annotations

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import NoNewData, Result, RunConfig, read_result
from pawl.artifacts.store import Store, open_store
from pawl.errors import ConflictError
from pawl.training import log

MAX_BYTES = 16 << 20


def path(config: RunConfig) -> str:
    """Where the run's result lies in the store."""
    return f"runs/{config.uid}-{config.run}/result.json"


def put(store: Store, config: RunConfig, result: Result) -> None:
    """Writes the result, unless there is one."""
    try:
        store.put(path(config), canonical_json(result))
    except ConflictError:
        log.info("another try of this run was first", result=path(config))


def ended(config: RunConfig) -> NoNewData | None:
    """What an earlier try of the run has told, if it has ended it."""
    with open_store(config.store, retry=PATIENT) as store:
        return _told(store, config) if store.exists(path(config)) else None


def end(config: RunConfig, data_digest: str, message: str = "") -> NoNewData:
    """Ends the run: nothing is to be trained, because the data have not changed or, else, for the
    reason that `message` gives. What another try of the run has left stands."""
    nothing = NoNewData(uid=config.uid, run=config.run, data_digest=data_digest, message=message)
    with open_store(config.store, retry=PATIENT) as store:
        put(store, config, nothing)
        return _told(store, config) or nothing


def _told(store: Store, config: RunConfig) -> NoNewData | None:
    found = read_result(store.get(path(config), max_bytes=MAX_BYTES))
    return found if isinstance(found, NoNewData) else None
