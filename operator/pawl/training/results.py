"""`runs/<uid>-<run>/result.json`: what a run gave.

The first that is written stands, whichever try of the run wrote it: a pod that is repeated on
another node tells the same, also when the data have changed since.
"""

from __future__ import annotations

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import NoNewData, RunConfig, RunResult, read_result
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.store import Store, open_store
from pawl.errors import ConflictError
from pawl.training import log

MAX_BYTES = 16 << 20


def path(config: RunConfig) -> str:
    """Where the run's result lies in the store."""
    return f"runs/{config.uid}-{config.run}/result.json"


def put(store: Store, config: RunConfig, result: RunResult | NoNewData) -> None:
    """Writes the result, unless there is one."""
    try:
        store.put(path(config), canonical_json(result))
    except ConflictError:
        log.info("another try of this run was first", result=path(config))


def nothing_new(config: RunConfig, data_digest: str) -> NoNewData | None:
    """The run's result, when nothing is to be trained: the data are those of
    `config.unless_data`, or were when an earlier try of the run looked."""
    if config.unless_data is None:
        return None
    with open_store(config.store, retry=PATIENT) as store:
        if data_digest == config.unless_data:
            put(store, config, NoNewData(uid=config.uid, run=config.run, data_digest=data_digest))
        elif not store.exists(path(config)):
            return None
        found = read_result(store.get(path(config), max_bytes=MAX_BYTES))
    return found if isinstance(found, NoNewData) else None
