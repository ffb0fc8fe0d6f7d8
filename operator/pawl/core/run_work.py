"""What one planning pass of a TrainingJob looks at, and what it has in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.trainingjob import RunStatus, TrainingJob
from pawl.artifacts.reports import Reports
from pawl.artifacts.runs import Result
from pawl.artifacts.trials import Scored, Trial
from pawl.core import kueue
from pawl.core.attempts import attempt_of
from pawl.core.conditions import Conditions
from pawl.core.installation import Installation
from pawl.core.plan import Delete, Draft, Event, MergePatch
from pawl.core.run_status import Trouble
from pawl.core.tracking import TrackingObserved
from pawl.core.versions import Version
from pawl.search.protocol import Proposal

Object = Mapping[str, Any]
#: Why a Job in a queue is suspended.
WAITS = "WaitsForKueue"
FINISHED = ("Succeeded", "NoNewData", "Reproduced", "Differs", "Failed", "Superseded")


@dataclass(frozen=True)
class SearchObserved:
    """Of the search that began in `run`: the records of its `trials`, what pods have `scored` of
    those whose Job is over or gone, what the sampler `asked` to be tried next, which trials it
    would `prune`, what they have reported (`reports`), and why it cannot go on (`error`)."""

    run: int
    trials: Mapping[int, Trial] = field(default_factory=dict)
    scored: Mapping[int, Scored] = field(default_factory=dict)
    asked: tuple[Proposal, ...] = ()
    prune: frozenset[int] = frozenset()
    reports: Mapping[int, Reports] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class TrainingJobObserved:
    """All that is looked at.

    `result` is the result.json of the current run, if the store has one; `store_error` says that
    the store could not be asked. `highest_claim` is the highest number claimed for the model in
    the store, `claim` who holds the number that `status.run` has reserved. `recorded` are the
    ModelVersions that the store knows of the recipe, whether or not they are in the cluster.
    `search` is what is known of the search of the current run, if it has one; `percent` how far
    `train` says it is, `refused` why pods cannot be created; `tracking` what is known of the
    tracking server. `polls` are the Jobs that look at the data, `poll_pods` their pods.
    """

    object: Object
    jobs: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    versions: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    result: Result | None = None
    store_error: str | None = None
    highest_claim: int = 0
    claim: str | None = None
    recorded: tuple[Object, ...] = ()
    search: SearchObserved | None = None
    percent: float | None = None
    refused: str = ""
    tracking: TrackingObserved | None = None
    polls: tuple[Object, ...] = ()
    poll_pods: tuple[Object, ...] = ()


@dataclass
class Work:
    """What one planning pass has in hand."""

    observed: TrainingJobObserved
    job: TrainingJob
    versions: tuple[Version, ...]
    conditions: Conditions
    now: datetime
    installation: Installation
    draft: Draft = field(default_factory=Draft)
    values: dict[str, Any] = field(default_factory=dict)  # fields of the new status

    @property
    def meta(self) -> Object:
        """metadata of the TrainingJob."""
        return self.observed.object["metadata"]  # type: ignore[no-any-return]

    @property
    def key(self) -> str:
        """Names the current run for ever."""
        return f"{self.meta['uid']}-{self.run.number}"

    @property
    def run(self) -> RunStatus:
        """The current run, as planned so far."""
        return self.values["run"]  # type: ignore[no-any-return]

    def update_run(self, **changes: Any) -> None:
        """Change the current run."""
        self.values["run"] = self.run.model_copy(update=changes)

    def job_of(self, number: int) -> Object | None:
        """The Job of a run that publishes, while there is one: that of the latest attempt."""
        found = (j for j in self.observed.jobs if run_of(j) == number and trial_of(j) is None)
        return max(found, key=lambda job: attempt_of(job).number, default=None)

    def pods_of(self, trial: int | None) -> list[Object]:
        """The pods of a trial, or of the Job that publishes: of its latest attempt."""
        job = self.job_of(self.run.number)
        attempt = job["metadata"].get("labels", {}).get(c.LABEL_ATTEMPT) if job else None
        return [
            pod
            for pod in self.observed.pods
            if trial_of(pod) == trial
            and (trial is not None or attempt in (None, _labels(pod).get(c.LABEL_ATTEMPT)))
        ]


def run_of(job: Object) -> int:
    """The number of the run that a Job is of."""
    return int(job["metadata"].get("labels", {}).get(c.LABEL_RUN, "0"))


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels", {})  # type: ignore[no-any-return]


def trial_of(item: Object) -> int | None:
    """The number of the trial that a Job or a pod is of."""
    number = item["metadata"].get("labels", {}).get(c.LABEL_TRIAL)
    return int(number) if number is not None else None


def adjust(work: Work, job: Object) -> None:
    """Fields of a Job of the run that change in place."""
    spec = work.job.spec
    wanted = {
        "suspend": spec.suspend,
        "backoffLimit": spec.backoff_limit if spec.workers == 1 else 0,
        "activeDeadlineSeconds": spec.active_deadline_seconds,
        "ttlSecondsAfterFinished": spec.ttl_seconds_after_finished,
    }
    if trial_of(job) is not None:
        del wanted["ttlSecondsAfterFinished"]
    if kueue.queue_of(job):
        del wanted["suspend"]
    changed = {key: value for key, value in wanted.items() if job["spec"].get(key) != value}
    changed = {k: v for k, v in changed.items() if v or job["spec"].get(k)}  # absent is false
    if changed:
        meta = job["metadata"]
        work.draft.actions.append(
            MergePatch("batch/v1", "Job", meta["namespace"], meta["name"], {"spec": changed})
        )


def deletion(item: Object) -> Delete:
    """Of a Job, and of its pods."""
    meta = item["metadata"]
    return Delete("batch/v1", "Job", meta["namespace"], meta["name"], meta["uid"])


def started(work: Work) -> None:
    """The same from the creation of the Job on: else the status would be written once more."""
    message = f"run {work.run.number} has started"
    work.conditions.accept(ready=True, reason="Started", message=message)


def tell_suspended(work: Work, job: Object | None) -> None:
    """Whether pods of the run may be there. `job` is the one that is there, or is created."""
    if work.job.spec.suspend:
        work.conditions.set("Suspended", True, "SuspendedByUser", "spec.suspend is true")
    elif job is not None and kueue.waits(job):
        text = f"waits for Kueue to admit it to the queue {kueue.queue_of(job)}"
        work.conditions.set("Suspended", True, WAITS, text)
    else:
        work.conditions.set("Suspended", False, "NotSuspended")


def tell_blocked(work: Work, trouble: Trouble | None) -> None:
    """Whether pods of the run can start."""
    if trouble is None:
        started(work)
        return
    work.conditions.accept(ready=False, reason=trouble.reason, message=trouble.message)
    if not _told_before(work, "Ready", trouble):
        sentence = f"{trouble.reason}: {trouble.message}"
        work.draft.events.append(Event("RunBlocked", sentence, "Warning"))


def _told_before(work: Work, type_: str, trouble: Trouble) -> bool:
    return any(
        old.type == type_ and old.reason == trouble.reason and old.message == trouble.message
        for old in work.job.status.conditions
    )
