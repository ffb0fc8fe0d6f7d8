"""Plans a TrainingJob: which run there should be, its Job, and the one ModelVersion it may give.

A run is keyed by (uid of the TrainingJob, number). Its ModelVersion is made in this order, so that
an operator that dies anywhere in it, or two operators at once, make one version and no more:
the number is reserved in `status.run` (under a resourceVersion precondition) → claimed in the
store (put if absent) → the object is created by its name → the run is Succeeded in status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from pawl import constants as c
from pawl.api.trainingjob import RunStatus, TrainingJob, TrainingJobStatus
from pawl.artifacts.records import Code, KnownVersion, RunConfig, RunResult
from pawl.artifacts.redact import redact
from pawl.core import run_status
from pawl.core.conditions import Conditions, invalid_status, timestamp
from pawl.core.installation import Installation
from pawl.core.manifests.training import build_job, build_run_config, train_threads
from pawl.core.plan import Create, Delete, Draft, Event, MergePatch, Plan
from pawl.core.publication import publish
from pawl.core.recipe import recipe_digest
from pawl.core.versions import Version, champion, read_versions

Object = Mapping[str, Any]
_FINISHED = ("Succeeded", "Failed", "Superseded")


@dataclass(frozen=True)
class TrainingJobObserved:
    """All that is looked at.

    `result` is the result.json of the current run, if the store has one; `store_error` says that
    the store could not be asked. `highest_claim` is the highest number claimed for the model in
    the store, `claim` who holds the number that `status.run` has reserved.
    """

    object: Object
    jobs: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    versions: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    result: RunResult | None = None
    store_error: str | None = None
    highest_claim: int = 0
    claim: str | None = None


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


def plan_training_job(
    observed: TrainingJobObserved, installation: Installation, now: datetime
) -> Plan:
    """The plan for a TrainingJob."""
    item = observed.object
    generation = item["metadata"].get("generation", 0)
    try:
        job = TrainingJob.model_validate(item)
    except ValidationError as error:
        old = TrainingJobStatus.model_validate(item.get("status") or {})
        return Plan(invalid_status(old, item, error, now))
    conditions = Conditions(job.status.conditions, generation=generation, now=now)
    versions = read_versions(observed.versions, job.spec.model)
    work = Work(observed, job, versions, conditions, now, installation)
    work.values = dict(job.status) | {"observed_generation": generation}
    _choose_run(work)
    if work.run.phase not in _FINISHED:
        _drive(work)
    else:
        _tell_finished(work)
    work.values["phase"] = "Suspended" if _suspended(work) else work.run.phase
    status = TrainingJobStatus(**work.values | {"conditions": conditions.all()})
    return work.draft.finish(status.render())


def _choose_run(work: Work) -> None:
    """Keep the current run, find it again after a lost status, or start the next."""
    status, digest = work.job.status, recipe_digest(work.job.spec)
    run = status.run or _recovered(work, digest)
    if run is None:
        _start(work, 1, digest)
    elif run.recipe_digest != digest:
        ended = run if run.phase in _FINISHED else run.model_copy(update={"phase": "Superseded"})
        work.values["runs"] = (ended, *status.runs)[:10]
        _start(work, run.number + 1, digest)
    else:
        work.values["run"] = run
    for job in work.observed.jobs:
        if _run_of(job) < work.run.number and "deletionTimestamp" not in job["metadata"]:
            meta = job["metadata"]
            work.draft.actions.append(
                Delete("batch/v1", "Job", meta["namespace"], meta["name"], meta["uid"])
            )


def _start(work: Work, number: int, digest: str) -> None:
    work.values |= {
        "run": RunStatus(
            number=number, phase="Pending", recipe_digest=digest, started_at=timestamp(work.now)
        ),
        "progress": 0,
        "metrics": None,
        "score": None,
        "gates": (),
        "warnings": (),
        "data_digest": None,
        "start_time": timestamp(work.now),
        "completion_time": None,
    }
    for type_ in ("DataValid", "Complete", "Failed"):
        work.conditions.drop(type_)
    work.draft.events.append(Event("RunStarted", f"run {number} of {work.job.spec.model}"))


def _recovered(work: Work, digest: str) -> RunStatus | None:
    """The run that was going on when the status was lost: by its Job, or by its version."""
    numbers = [_run_of(job) for job in work.observed.jobs]
    for version in work.versions:
        made_by = version.spec.lineage.training_job if version.spec.lineage else None
        if made_by is not None and made_by.uid == work.meta["uid"]:
            numbers.append(made_by.run)
    if not numbers:
        return None
    number = max(numbers)
    job = _job_of(work, number)
    recorded = job["metadata"].get("annotations", {}).get(c.ANNOTATION_RECIPE) if job else None
    if recorded is None:
        recorded = next(
            (
                version.spec.lineage.recipe_digest
                for version in work.versions
                if version.run_key == f"{work.meta['uid']}-{number}" and version.spec.lineage
            ),
            None,
        )
    return RunStatus(
        number=number,
        phase="Running",
        recipe_digest=recorded or digest,
        started_at=work.meta.get("creationTimestamp"),
    )


def _drive(work: Work) -> None:
    """One step of a run that is not finished."""
    made = next((v for v in work.versions if v.run_key == work.key), None)
    if made is not None or work.observed.result is not None:
        publish(work, made)
        return
    job = _job_of(work, work.run.number)
    if work.observed.store_error is not None and (job is None or _complete(job)):
        message = f"the artifact store cannot be read: {work.observed.store_error}"
        work.conditions.accept(ready=False, reason="StoreUnreachable", message=message)
        work.draft.requeue(10)
    elif job is None:
        _create(work)
    elif run_status.job_condition(job, "Failed"):
        _fail(work, run_status.failure(job, work.observed.pods))
    elif _complete(job):
        message = "the Job is complete, but the store holds no result of it"
        _fail(work, run_status.Trouble("ResultMissing", message, "publish"))
    else:
        _follow(work, job)


def _create(work: Work) -> None:
    spec, meta, run = work.job.spec, work.meta, work.run
    labels = {
        c.LABEL_TRAINING_JOB: meta["name"],
        c.LABEL_MODEL: spec.model,
        c.LABEL_RUN: str(run.number),
        c.LABEL_ROLE: c.ROLE_TRAINER,
    }
    best = champion(work.versions, work.observed.deployments)
    config = RunConfig(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        run=run.number,
        model=spec.model,
        spec=spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        recipe_digest=run.recipe_digest,
        store=work.installation.store,
        image=work.installation.images.trainer,
        champion=best.reference() if best else None,
        known=_known(work),
        allowed_estimators=work.installation.allowed_estimators,
        threads=train_threads(spec),
        code=_code(meta),
    )
    owner = dict(work.observed.object)
    job = build_job(owner, spec, run.number, labels, work.installation)
    job["metadata"]["annotations"] = {c.ANNOTATION_RECIPE: run.recipe_digest}
    work.draft.actions += [Create(build_run_config(owner, config, labels)), Create(job)]
    work.conditions.accept(ready=True, reason="Started", message=f"run {run.number} has started")
    work.draft.requeue(30)


def _code(meta: Object) -> Code | None:
    """What the annotations say of the source; one without the other says too little."""
    names = (c.ANNOTATION_CODE_REPO, c.ANNOTATION_CODE_REVISION)
    annotations = meta.get("annotations") or {}
    repo, revision = (redact("".join(annotations.get(name, "").split())) for name in names)
    return Code(repo=repo[:512], revision=revision[:128]) if repo and revision else None


def _known(work: Work) -> tuple[KnownVersion, ...]:
    """Versions that another run made of this recipe: the pod compares their data digests with
    what it reads, and trains nothing when one is equal."""
    return tuple(
        KnownVersion(version=version.reference(), data_digest=lineage.data.digest)
        for version in work.versions
        if (lineage := version.spec.lineage) is not None
        and lineage.recipe_digest == work.run.recipe_digest
        and lineage.data is not None
    )


def _follow(work: Work, job: Object) -> None:
    """The Job is there and not finished."""
    _adjust(work, job)
    pod = run_status.newest(work.observed.pods)
    trouble = run_status.blocked(pod)
    if trouble is None:
        work.conditions.accept(ready=True, reason="Started")
    else:
        work.conditions.accept(ready=False, reason=trouble.reason, message=trouble.message)
        if not _told_before(work, "Ready", trouble):
            work.draft.events.append(Event(trouble.reason, trouble.message, "Warning"))
    if run_status.stage_succeeded(work.observed.pods, "prepare"):
        work.conditions.set("DataValid", True, "ChecksPassed")
    work.values["progress"] = max(work.values.get("progress") or 0, run_status.progress(pod))
    if work.values["progress"]:
        work.update_run(phase="Running")
    work.conditions.set("Suspended", work.job.spec.suspend, _suspend_reason(work))


def _adjust(work: Work, job: Object) -> None:
    """Fields that change in place."""
    spec = work.job.spec
    wanted = {
        "suspend": spec.suspend,
        "backoffLimit": spec.backoff_limit,
        "activeDeadlineSeconds": spec.active_deadline_seconds,
        "ttlSecondsAfterFinished": spec.ttl_seconds_after_finished,
    }
    changed = {key: value for key, value in wanted.items() if job["spec"].get(key) != value}
    changed = {k: v for k, v in changed.items() if v or job["spec"].get(k)}  # absent is false
    if changed:
        meta = job["metadata"]
        work.draft.actions.append(
            MergePatch("batch/v1", "Job", meta["namespace"], meta["name"], {"spec": changed})
        )


def _fail(work: Work, trouble: run_status.Trouble) -> None:
    at = f"{trouble.stage}: " if trouble.stage else ""
    message = f"{at}{trouble.message}"[:1000]
    work.update_run(phase="Failed", finished_at=timestamp(work.now), message=message)
    work.values["completion_time"] = timestamp(work.now)
    work.conditions.accept(ready=False, reason=trouble.reason, message=message)
    work.conditions.set("Failed", True, trouble.reason, message)
    work.conditions.set("Complete", False, trouble.reason)
    if trouble.stage == "prepare" and trouble.reason not in ("StoreUnreachable", "OutOfMemory"):
        work.conditions.set("DataValid", False, trouble.reason, trouble.message)
    work.draft.events.append(Event("RunFailed", message, "Warning"))


def _tell_finished(work: Work) -> None:
    """Refresh what kstatus reads; the outcome itself stays as it was told."""
    succeeded = work.run.phase == "Succeeded"
    reason = "Complete" if succeeded else "Failed"
    work.conditions.accept(ready=succeeded, reason=reason, message=work.run.message)
    work.conditions.drop("Suspended")


def _suspended(work: Work) -> bool:
    return work.job.spec.suspend and work.run.phase not in _FINISHED


def _suspend_reason(work: Work) -> str:
    return "SuspendedByUser" if work.job.spec.suspend else "NotSuspended"


def _told_before(work: Work, type_: str, trouble: run_status.Trouble) -> bool:
    return any(
        old.type == type_ and old.reason == trouble.reason and old.message == trouble.message
        for old in work.job.status.conditions
    )


def _complete(job: Object) -> bool:
    return run_status.job_condition(job, "Complete") is not None


def _run_of(job: Object) -> int:
    return int(job["metadata"].get("labels", {}).get(c.LABEL_RUN, "0"))


def _job_of(work: Work, number: int) -> Object | None:
    return next((job for job in work.observed.jobs if _run_of(job) == number), None)
