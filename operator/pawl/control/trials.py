"""The operator's side of the trials in the store (`artifacts.trials`): read once, then remembered.

Only the operator that acts writes records, so what it has read and written is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Protocol, TypeVar

from pydantic import ValidationError

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.store import Store
from pawl.artifacts.trials import Scored, Trial, folder, scored_path, table_path, trial_path
from pawl.errors import ConflictError, StoreError

R = TypeVar("R", Scored, Trial)
T = TypeVar("T")
_MOST_BYTES = 1 << 20


class Do(Protocol):
    """Runs work that may wait for the store, in a thread; `operation` names it for the metrics."""

    async def __call__(self, operation: str, work: Callable[[], T]) -> T: ...


class Trials:
    """Of all searches of one store."""

    def __init__(self, store: Store, do: Do) -> None:
        self._store = store
        self._do = do
        self._known: dict[tuple[str, int], dict[int, Trial]] = {}
        self._scored: dict[tuple[str, int], dict[int, Scored]] = {}

    def forget(self, uids: Collection[str]) -> None:
        """What was read for TrainingJobs that are not among `uids`: gone, or not searching."""
        for known in (self._known, self._scored):
            for key in [key for key in known if key[0] not in uids]:
                del known[key]

    async def records(self, uid: str, run: int) -> dict[int, Trial]:
        """Trials of the search that began in `run` that are over, by number. StoreError when the
        store does not answer, or holds what is no record."""
        key = (uid, run)
        if key not in self._known:
            self._known[key] = await self._do("trials", lambda: self._read_all(uid, run))
        return dict(self._known[key])

    async def scored(self, uid: str, run: int, numbers: Iterable[int]) -> dict[int, Scored]:
        """What the pods of these trials have left, where they have."""
        found = self._scored.setdefault((uid, run), {})
        wanted = [number for number in numbers if number not in found]
        if wanted:
            found |= await self._do("scored", lambda: self._read_scored(uid, run, wanted))
        return {number: found[number] for number in numbers if number in found}

    async def record(self, uid: str, run: int, trial: Trial) -> None:
        """Writes a trial; one that is there already stays as it is."""

        def write() -> Trial:
            path = trial_path(uid, run, trial.number)
            try:
                self._store.put(path, canonical_json(trial))
            except ConflictError:
                return self._read(path, Trial)
            return trial

        written = await self._do("trial", write)
        self._known.setdefault((uid, run), {})[trial.number] = written
        self._scored.get((uid, run), {}).pop(trial.number, None)

    async def table(self, uid: str, run: int, lines: bytes) -> None:
        """Writes all trials in one file."""

        def write() -> None:
            with suppress(ConflictError):
                self._store.put(table_path(uid, run), lines)

        await self._do("table", write)

    def _read_all(self, uid: str, run: int) -> dict[int, Trial]:
        try:
            paths = self._store.list(folder(uid, run))
        except FileNotFoundError:
            return {}
        names = {path: path.rsplit("/", 1)[-1].removesuffix(".json") for path in paths}
        read = (self._read(path, Trial) for path, name in names.items() if name.isdigit())
        return {trial.number: trial for trial in read}

    def _read_scored(self, uid: str, run: int, numbers: Iterable[int]) -> dict[int, Scored]:
        found = {}
        for number in numbers:
            with suppress(FileNotFoundError):
                found[number] = self._read(scored_path(uid, run, number), Scored)
        return found

    def _read(self, path: str, kind: type[R]) -> R:
        try:
            return kind.model_validate_json(self._store.get(path, max_bytes=_MOST_BYTES))
        except ValidationError as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
