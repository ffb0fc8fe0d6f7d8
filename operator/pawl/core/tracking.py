"""What a tracking server should hold of a TrainingJob, and what the status says of it.

A run of Pawl is a run there, named by the tag `pawl.run` (`<uid>-<run>`), its trials are nested
runs, its ModelVersion a version in the registry. A run that is over never changes again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pawl.api.modelversion import ModelVersionSpec
from pawl.api.tracking import TrackedStatus
from pawl.api.trainingjob import RunStatus, TrainingJob
from pawl.artifacts.runs import StoreRef
from pawl.artifacts.trials import Trial
from pawl.core.conditions import Conditions, parse_timestamp
from pawl.core.plan import Draft
from pawl.core.versions import Version

Object = Mapping[str, Any]
State = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
_STATES: dict[str, State] = {
    "Succeeded": "FINISHED",
    "NoNewData": "FINISHED",
    "Reproduced": "FINISHED",
    "Differs": "FINISHED",
    "Failed": "FAILED",
    "Superseded": "KILLED",
}
_TRIALS: dict[str, State] = {"Succeeded": "FINISHED", "Pruned": "KILLED", "Failed": "FAILED"}
#: MLflow takes longer ones, but older servers do not.
_MOST = 500
_KEY = re.compile(r"[^\w\-. :/]", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A run as it should be at the server. Times are milliseconds since 1970. `bundle` is what it
    made, as the ModelVersion of that name."""

    key: str
    name: str
    state: State
    started: int
    ended: int | None
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    bundle: StoreRef | None = None

    @property
    def over(self) -> bool:
        """It will not change any more."""
        return self.state != "RUNNING"


@dataclass(frozen=True)
class TrackingObserved:
    """What is known of the server: whether all is `written` that should be, else why not
    (`error`), and in how many seconds it is tried again."""

    status: TrackedStatus | None = None
    written: bool = False
    reason: str = ""
    error: str = ""
    again: float | None = None


def registry_name(namespace: str, model: str) -> str:
    """Of the registered model, and of the experiment where none is given."""
    return f"{namespace}.{model}"


def entries(item: Object, job: TrainingJob, versions: Iterable[Version]) -> tuple[Entry, ...]:
    """The runs of a TrainingJob that its status knows, oldest first."""
    made = {version.name: version for version in versions}
    runs = ((job.status.run,) if job.status.run else ()) + job.status.runs
    told = [_entry(item, job, run, made.get(run.model_version or "")) for run in runs]
    return tuple(reversed(told))


def trial_entry(parent: Entry, trial: Trial) -> Entry:
    """The nested run of a trial; nobody has noted when it ran, so it has its run's time."""
    seconds = trial.seconds or 0.0
    return Entry(
        key=f"{parent.key}/{trial.number}",
        name=f"trial {trial.number}",
        state=_TRIALS[trial.outcome],
        started=parent.started,
        ended=parent.started + int(1000 * seconds),
        tags={"pawl.trial": str(trial.number), **_text("mlflow.note.content", trial.message)},
        parameters=_parameters(trial.parameters),
        metrics=trial.values,
    )


def plan_tracking(
    job: TrainingJob, seen: TrackingObserved | None, conditions: Conditions, draft: Draft
) -> TrackedStatus | None:
    """Sets the condition Tracked and gives the status. Training never waits for it."""
    if job.spec.tracking is None:
        conditions.drop("Tracked")
        return None
    if seen is None:
        return job.status.tracking
    if seen.error:
        conditions.set("Tracked", False, seen.reason, seen.error)
        if seen.again is not None:
            draft.requeue(seen.again)
    elif seen.written:
        conditions.set("Tracked", True, "UpToDate")
    return seen.status or job.status.tracking


def _entry(item: Object, job: TrainingJob, run: RunStatus, version: Version | None) -> Entry:
    meta, spec = item["metadata"], version.spec if version is not None else None
    started = run.started_at or meta["creationTimestamp"]
    ended = run.finished_at or (started if run.phase == "Superseded" else None)
    return Entry(
        key=f"{meta['uid']}-{run.number}",
        name=f"{meta['name']} run {run.number}",
        state=_STATES.get(run.phase, "RUNNING"),
        started=_milliseconds(started),
        ended=_milliseconds(ended) if ended else None,
        tags={
            "pawl.training-job": f"{meta['namespace']}/{meta['name']}",
            "pawl.recipe-digest": run.recipe_digest,
            **_text("mlflow.note.content", run.message),
            **(_lineage(spec) if spec is not None and version is not None else {}),
            **_text("pawl.version", run.model_version),
        },
        parameters=_parameters(_used(job, run, spec)),
        metrics=dict(spec.metrics or {}) if spec is not None else {},
        bundle=version.reference() if version is not None else None,
    )


def _used(job: TrainingJob, run: RunStatus, spec: ModelVersionSpec | None) -> Mapping[str, Any]:
    """What a version was trained with; else what the recipe gives, as long as it is the run's."""
    if spec is not None:
        found = spec.lineage.parameters if spec.lineage is not None else None
        return found or {}
    current = job.status.run
    if current is None or current.recipe_digest != run.recipe_digest:
        return {}
    trainer = job.spec.trainer.sklearn or job.spec.trainer.container
    return trainer.parameters if trainer is not None else {}


def _lineage(spec: ModelVersionSpec) -> dict[str, str]:
    """Of a version, as tags; those of MLflow's own where there are some."""
    told = {"pawl.bundle": spec.artifact.uri, "pawl.bundle-digest": spec.artifact.digest}
    lineage = spec.lineage
    if lineage is None:
        return told
    data, code = lineage.data, lineage.code
    given = {
        "pawl.data": data.uri if data else None,
        "pawl.data-digest": data.digest if data else None,
        "pawl.parent": lineage.parent,
        "pawl.image": lineage.image,
        "pawl.seed": str(lineage.seed),
        "pawl.threads": str(lineage.threads or 1),
        "pawl.environment-digest": lineage.environment_digest,
        "mlflow.source.git.repoURL": code.repo if code else None,
        "mlflow.source.git.commit": code.revision if code else None,
    }
    return told | {key: value for key, value in given.items() if value}


def _parameters(values: Mapping[str, Any]) -> dict[str, str]:
    """As text; keys with the characters that MLflow takes."""
    return {
        _KEY.sub("_", key)[:250]: (value if isinstance(value, str) else json.dumps(value))[:_MOST]
        for key, value in values.items()
    }


def _text(key: str, value: str | None) -> dict[str, str]:
    return {key: value} if value else {}


def _milliseconds(moment: str) -> int:
    return int(parse_timestamp(moment).timestamp() * 1000)
