"""Writes to a tracking server what it should hold of a TrainingJob (`core.tracking`) and does not.

Nothing is kept that a restart would miss: runs are found again by the tags `pawl.uid` and
`pawl.run`, and one that is whole by `pawl.written`. The alias `champion` is that of the
ModelVersion whose stage it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pawl.api.tracking import Mlflow as Spec
from pawl.api.tracking import TrackedStatus
from pawl.api.trainingjob import TrainingJob
from pawl.artifacts.bundle import CARD, METRICS
from pawl.artifacts.runs import StoreRef
from pawl.control.mlflow import Mlflow, Run, authorization
from pawl.control.outside import Outside
from pawl.control.queue import Key
from pawl.control.records import Records
from pawl.control.rights import MLFLOW_SECRET
from pawl.core.tracking import Entry, entries, registry_name, trial_entry
from pawl.core.versions import read_versions

Object = Mapping[str, Any]
_CHAMPION = "champion"
_PAGE = "docs/tracking.md"


@dataclass(frozen=True)
class Wanted:
    """What should be at the server: all runs, of the current one so many `trials`."""

    key: Key
    uid: str
    spec: Spec
    model: str  # as the registry calls it
    entries: tuple[Entry, ...]
    searched: Mapping[str, int]  # key of an entry -> the run in which its search began
    trials: int
    champion: str | None


class Writer:
    """Of one TrainingJob. `may_write` is called before writes and raises if there must be none."""

    def __init__(self, outside: Outside, records: Records, may_write: Callable[[], None]) -> None:
        self._outside = outside
        self._records = records
        self._may_write = may_write
        #: Nested runs that need nothing more, by the id of the run that they are of.
        self._nested: dict[str, set[str]] = {}

    async def write(self, wanted: Wanted) -> TrackedStatus:
        """Any PawlError when it could not all be written; KeyError, TypeError or AttributeError
        when the server answers what MLflow does not."""
        mlflow = Mlflow(self._outside, wanted.spec.uri, await self._authorization(wanted))
        experiment = await mlflow.experiment(wanted.spec.experiment or wanted.model)
        found = await mlflow.runs(experiment, "pawl.uid", wanted.uid)
        there = {run.tags["pawl.run"]: run for run in found if "pawl.run" in run.tags}
        status = TrackedStatus()
        for entry in wanted.entries:
            run = there.get(entry.key) or await self._create(mlflow, experiment, entry, wanted)
            version = run.tags.get("pawl.registered")
            if not _whole(run):
                await self._trials(mlflow, experiment, entry, run, wanted)
                version = await self._finish(mlflow, entry, run, wanted) if entry.over else None
            status = TrackedStatus(run=run.id, version=version)
        await self._champion(mlflow, wanted)
        return status

    async def _create(self, mlflow: Mlflow, experiment: str, entry: Entry, wanted: Wanted) -> Run:
        self._may_write()
        tags = {"pawl.uid": wanted.uid, "pawl.run": entry.key, **entry.tags}
        return await mlflow.create(experiment, entry.name, entry.started, tags)

    async def _trials(
        self,
        mlflow: Mlflow,
        experiment: str,
        entry: Entry,
        run: Run,
        wanted: Wanted,
    ) -> None:
        """The nested runs of a search, those of the run that it goes on with too."""
        began = wanted.searched.get(entry.key)
        if began is None:
            return
        records = await self._records.trials.records(wanted.uid, began)
        there: dict[str, Run] = {}
        if run.id not in self._nested:
            nested = await mlflow.runs(experiment, "mlflow.parentRunId", run.id)
            there = {child.tags.get("pawl.run", ""): child for child in nested}
            self._nested[run.id] = {key for key, child in there.items() if _whole(child)}
        for number in sorted(records):
            trial = trial_entry(entry, records[number])
            if trial.key in self._nested[run.id]:
                continue
            self._may_write()
            tags = {"mlflow.parentRunId": run.id, "pawl.run": trial.key, **trial.tags}
            child = there.get(trial.key) or await mlflow.create(
                experiment, trial.name, trial.started, tags
            )
            await _end(mlflow, trial, child, {})
            self._nested[run.id].add(trial.key)

    async def _finish(self, mlflow: Mlflow, entry: Entry, run: Run, wanted: Wanted) -> str | None:
        """A run that is over: its files, its version in the registry, and all that is told of it.
        Gives the number of the version."""
        self._may_write()
        if entry.bundle is None:
            await _end(mlflow, entry, run, entry.tags)
            return None
        names = (CARD, METRICS)
        files = await self._records.files(entry.bundle, wanted.key.namespace, names)
        for name, data in files.items():
            if not await mlflow.artifact(run, name, data):
                break
        version = await _register(mlflow, entry.bundle, run, wanted.model)
        await _end(mlflow, entry, run, {**entry.tags, "pawl.registered": version})
        return version

    async def _champion(self, mlflow: Mlflow, wanted: Wanted) -> None:
        """Where the champion is not registered there is none: another one would be a lie."""
        found: list[str] = []
        if wanted.champion is not None:
            found = await mlflow.versions(wanted.model, "pawl.version", wanted.champion)
        version = found[0] if found else None
        if await mlflow.alias(wanted.model, _CHAMPION) != version:
            self._may_write()
            await mlflow.set_alias(wanted.model, _CHAMPION, version)

    async def _authorization(self, wanted: Wanted) -> str | None:
        name = wanted.spec.secret_name
        if name is None:
            return None
        where = wanted.key.namespace
        secret = await self._outside.secret(where, name, usual=MLFLOW_SECRET, page=_PAGE)
        return authorization(secret)


async def _register(mlflow: Mlflow, bundle: StoreRef, run: Run, model: str) -> str:
    """Its source is the bundle; where MLflow takes no such URI, the files of the run."""
    await mlflow.register(model)
    found = await mlflow.versions(model, "pawl.version", bundle.name)
    if found:
        return found[0]
    source = bundle.uri if bundle.uri.startswith("s3://") else run.artifacts
    tags = {
        "pawl.version": bundle.name,
        "pawl.bundle": bundle.uri,
        "pawl.bundle-digest": bundle.digest,
    }
    return await mlflow.add(model, source, run.id, tags)


async def _end(mlflow: Mlflow, entry: Entry, run: Run, tags: Mapping[str, str]) -> None:
    """What comes last is the tag that says that nothing is missing."""
    ended = entry.ended or entry.started
    await mlflow.end(run.id, entry.state, ended)
    written = {**tags, "pawl.written": entry.state}
    await mlflow.log(run.id, ended, entry.parameters, entry.metrics, written)


def _whole(run: Run) -> bool:
    """Nothing is to be written to it any more; nothing can be where somebody has deleted it."""
    return run.deleted or "pawl.written" in run.tags


def wanted_of(item: Object, versions: Collection[Object]) -> Wanted | None:
    """None without spec.tracking, and before there is a run."""
    try:
        job = TrainingJob.model_validate(item)
    except ValidationError:
        return None
    if job.spec.tracking is None or job.status.run is None:
        return None
    meta, model = item["metadata"], job.spec.model
    champions = (v for v in versions if (v.get("status") or {}).get("stage") == "Champion")
    runs = (job.status.run, *job.status.runs) if job.spec.search is not None else ()
    return Wanted(
        key=Key(item["kind"], meta["namespace"], meta["name"]),
        uid=meta["uid"],
        spec=job.spec.tracking.mlflow,
        model=registry_name(meta["namespace"], model),
        entries=entries(item, job, read_versions(versions, model)),
        searched={f"{meta['uid']}-{run.number}": run.resumes or run.number for run in runs},
        trials=job.status.trials.ended if job.status.trials is not None else 0,
        champion=next((str(v["metadata"]["name"]) for v in champions), None),
    )
