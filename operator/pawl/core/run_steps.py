"""One step of a run that is not finished: its Job is made, followed, or has failed; its version is
published."""

from __future__ import annotations

from pawl import constants as c
from pawl.artifacts.records import Code, KnownVersion, NoNewData, RunConfig, Window
from pawl.artifacts.redact import redact
from pawl.artifacts.uris import NOT_ALLOWED
from pawl.core import run_status
from pawl.core.conditions import timestamp
from pawl.core.manifests.training import build_job, build_run_config, train_threads
from pawl.core.plan import Create, Event, MergePatch
from pawl.core.publication import nothing_new, publish
from pawl.core.recall import missing
from pawl.core.run_work import Object, Work
from pawl.core.versions import champion, read_versions


def drive(work: Work) -> None:
    """One step of a run that is not finished."""
    made = next((v for v in work.versions if v.run_key == work.key), None)
    before = work.job.status.run
    # Then what was observed is of the run before, also where the Job is there and over already: it
    # was made by a pass that could not write its status.
    begins = before is not None and before.number != work.run.number
    result = None if begins else work.observed.result
    if isinstance(result, NoNewData):
        nothing_new(work, result)
        return
    if made is not None or result is not None:
        publish(work, made, result)
        return
    job = work.job_of(work.run.number)
    if work.observed.store_error is not None:
        message = f"the artifact store cannot be read: {work.observed.store_error}"
        work.conditions.accept(ready=False, reason="StoreUnreachable", message=message)
        work.draft.requeue(10)
    elif job is None:
        _create(work)
    elif begins:
        _follow(work, job)
    elif run_status.job_condition(job, "Failed"):
        _fail(work, run_status.failure(job, work.observed.pods))
    elif _complete(job):
        message = "the Job is complete, but the store holds no result of it"
        _fail(work, run_status.Trouble("ResultMissing", message, "publish"))
    else:
        _follow(work, job)


def _create(work: Work) -> None:
    spec, meta, run = work.job.spec, work.meta, work.run
    problem = work.installation.uris.problem(spec.data.uri, meta["namespace"])
    if problem:
        _refuse(work, f"data.uri {problem}")
        return
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
        started_at=run.started_at or timestamp(work.now),
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
    _started(work)
    work.conditions.set("Suspended", work.job.spec.suspend, _suspend_reason(work))
    work.draft.requeue(30)


def _refuse(work: Work, message: str) -> None:
    """Nothing is started until the object or the administrator's rules change."""
    if work.conditions.reason("Stalled") != NOT_ALLOWED:
        work.draft.events.append(Event(NOT_ALLOWED, message, "Warning"))
    work.conditions.stall(NOT_ALLOWED, message)


def _code(meta: Object) -> Code | None:
    """What the annotations say of the source; one without the other says too little."""
    names = (c.ANNOTATION_CODE_REPO, c.ANNOTATION_CODE_REVISION)
    annotations = meta.get("annotations") or {}
    repo, revision = (redact("".join(annotations.get(name, "").split())) for name in names)
    return Code(repo=repo[:512], revision=revision[:128]) if repo and revision else None


def _known(work: Work) -> tuple[KnownVersion, ...]:
    """Versions that another run made of this recipe, also in a cluster that is no more: the pod
    compares their data digests with what it reads, and trains nothing when one is equal."""
    lost = missing(work.observed.recorded, work.observed.versions)
    versions = (*read_versions(lost, work.job.spec.model), *work.versions)
    return tuple(
        KnownVersion(
            version=version.reference(),
            data_digest=lineage.data.digest,
            window=Window(**data.window.model_dump()) if (data := lineage.data).window else None,
        )
        for version in sorted(versions, key=lambda version: version.number)
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
        _started(work)
    else:
        work.conditions.accept(ready=False, reason=trouble.reason, message=trouble.message)
        if not _told_before(work, "Ready", trouble):
            sentence = f"{trouble.reason}: {trouble.message}"
            work.draft.events.append(Event("RunBlocked", sentence, "Warning"))
    if run_status.stage_succeeded(work.observed.pods, "prepare"):
        work.conditions.set("DataValid", True, "ChecksPassed")
    _advance(work, pod)
    if work.values["progress"]:
        work.update_run(phase="Running")
    work.conditions.set("Suspended", work.job.spec.suspend, _suspend_reason(work))


def _advance(work: Work, pod: Object | None) -> None:
    """How far the run is. A stage is told once, also if a later attempt begins anew."""
    before, reached = work.values.get("progress") or 0, run_status.progress(pod)
    work.values["progress"] = max(before, reached)
    if reached > before:
        text = f"run {work.run.number}: {run_status.stage_of(reached)}"
        work.draft.events.append(Event("StageStarted", text))


def _started(work: Work) -> None:
    """The same from the creation of the Job on: else the status would be written once more."""
    message = f"run {work.run.number} has started"
    work.conditions.accept(ready=True, reason="Started", message=message)


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
    work.conditions.stall(trouble.reason, message)
    work.conditions.set("Failed", True, trouble.reason, message)
    work.conditions.set("Complete", False, trouble.reason)
    if trouble.stage == "prepare" and trouble.reason not in ("StoreUnreachable", "OutOfMemory"):
        work.conditions.set("DataValid", False, trouble.reason, trouble.message)
    work.draft.events.append(Event("RunFailed", message, "Warning"))


def _suspend_reason(work: Work) -> str:
    return "SuspendedByUser" if work.job.spec.suspend else "NotSuspended"


def _told_before(work: Work, type_: str, trouble: run_status.Trouble) -> bool:
    return any(
        old.type == type_ and old.reason == trouble.reason and old.message == trouble.message
        for old in work.job.status.conditions
    )


def _complete(job: Object) -> bool:
    return run_status.job_condition(job, "Complete") is not None
