"""One step of a run that is not finished: its Job is made, followed, or has failed; its version is
published."""

from __future__ import annotations

from collections.abc import Sequence

from pawl import constants as c
from pawl.api.search import Search
from pawl.artifacts.runs import NoNewData, Reproduction
from pawl.artifacts.uris import NOT_ALLOWED
from pawl.core import attempts, kueue, reproduction, run_status, search, versions
from pawl.core.attempts import Attempt
from pawl.core.conditions import timestamp
from pawl.core.manifests.training import build_job, configuration, configure
from pawl.core.manifests.workers import build_service
from pawl.core.plan import Apply, Create, Event, MergePatch
from pawl.core.publication import finish, nothing_new, publish
from pawl.core.reasons import Reason
from pawl.core.run_config import (
    annotations_of,
    as_text,
    known,
    labels_of,
    recorded_spec,
    run_config,
)
from pawl.core.run_status import Trouble
from pawl.core.run_work import Object, Work, adjust, deletion, started, tell_blocked, tell_suspended
from pawl.core.search import Found

#: Seconds between two looks at how far `train` is, and at why pods are missing.
_LOOK = 10.0


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
    if isinstance(result, Reproduction):
        reproduction.finish(work, result)
        return
    if made is not None or result is not None:
        search.remember(work)
        publish(work, made, result)
        return
    job = work.job_of(work.run.number)
    if work.job.spec.workers > 1:
        work.draft.actions.append(Apply(build_service(dict(work.observed.object))))
    if work.observed.store_error is not None:
        message = f"the artifact store cannot be read: {work.observed.store_error}"
        work.conditions.accept(ready=False, reason="StoreUnreachable", message=message)
        work.draft.requeue(10)
    elif job is None and (why := _impossible(work)):
        _refuse(work, *why)
    elif job is None:
        _first(work)
    elif begins:
        _follow(work, job)
    elif run_status.job_condition(job, "Failed"):
        _failed(work, job)
    elif _complete(job):
        message = "the Job is complete, but the store holds no result of it"
        _fail(work, Trouble("ResultMissing", message, "publish"))
    else:
        _follow(work, job)


def _first(work: Work) -> None:
    """What comes before there is a Job of the run, once it is known what to compare with: whoever
    tells that wakes the TrainingJob."""
    if versions.undecided(work.observed.versions, work.observed.deployments):
        return
    if work.job.spec.search is not None:
        _search(work, work.job.spec.search)
    else:
        _create(work)


def _search(work: Work, spec: Search) -> None:
    """One step of the search, and the run's own Job when that is over."""
    observed = work.observed.search
    if observed is None or observed.run != (work.run.resumes or work.run.number):
        work.draft.requeue(0)  # of another run
        return
    found = search.step(work, spec, observed)
    if isinstance(found, Trouble):
        _fail(work, found)
    elif isinstance(found, Found):
        same = search.version_of(work, observed.run, found.best.number)
        if same is None:
            _create(work, found)
        else:
            why = f"{same.name}: trial {found.best.number} is still the best"
            finish(work, same.name, None, same, why)


def _create(work: Work, found: Found | None = None) -> None:
    """The first Job of the run; of a search, with the parameters that were `found`."""
    spec = work.job.spec
    if spec.reproduces is not None:
        config = run_config(work, **reproduction.changes(work))
    elif found is None:
        config = run_config(work, known=known(work))
    else:
        spec = spec.with_parameters(found.best.parameters)
        table = found.table
        changes = {"search": table.lineage(found.best), "data_digest": table.data_digest()}
        config = run_config(work, spec=recorded_spec(spec), **changes)
    _begin(work, Attempt(), as_text(config))


def _begin(work: Work, attempt: Attempt, config: str) -> None:
    """The Job of an attempt, whose pods are told `config`; none in a queue while the TrainingJob is
    suspended."""
    if work.job.spec.suspend and kueue.queue_of(work.observed.object):
        tell_suspended(work, None)
        return
    run, spec, labels, told = work.run, work.job.spec, labels_of(work), annotations_of(work)
    if spec.workers > 1:
        labels |= {c.LABEL_ATTEMPT: str(attempt.number)}
        told |= {c.ANNOTATION_FAILURES: str(attempt.failures)}
    owner, suffix = dict(work.observed.object), attempt.suffix
    job = build_job(owner, spec, run.number, labels, work.installation, attempt=suffix)
    job["metadata"]["annotations"] = told
    configure(job, config)
    work.draft.actions.append(Create(job))
    started(work)
    tell_suspended(work, job)
    work.draft.requeue(30)


def _failed(work: Work, job: Object) -> None:
    """The Job has failed: the run has, or several workers begin anew."""
    trouble, pods = run_status.failure(job, work.pods_of(None)), work.pods_of(None)
    limit, several = work.job.spec.backoff_limit, work.job.spec.workers > 1
    attempt = attempts.following(job, pods, limit) if several else None
    if attempt is None:
        _fail(work, trouble)
        return
    seconds = attempts.wait(job, attempt.failures, work.now)
    if seconds > 0:
        work.draft.requeue(seconds)
        return
    text = f"attempt {attempt.number - 1}: {trouble.message}; all workers begin anew"
    work.draft.events.append(Event("AttemptFailed", text, "Warning"))
    _begin(work, attempt, configuration(job) or as_text(run_config(work)))


def _impossible(work: Work) -> tuple[Reason, str] | None:
    """Why there cannot be a Job: something may not be read, or there is nothing to compare with."""
    if problem := _not_allowed(work):
        return NOT_ALLOWED, problem
    if problem := reproduction.problem(work):
        return "NotReproducible", problem
    return None


def _not_allowed(work: Work) -> str | None:
    """Why data, model tests, claims or Secrets may not be used; None when they may."""
    spec = work.job.spec
    tests = {"evaluation.tests.uri": spec.evaluation.tests.uri} if spec.evaluation.tests else {}
    claims = (("template", f"pvc://{claim}") for claim in spec.template.claims)
    secrets = (("template", f"secret://{name}") for name in spec.template.secrets)
    for field, uri in (*(spec.data.uris | tests).items(), *claims, *secrets):
        if problem := work.installation.uris.problem(uri, work.meta["namespace"]):
            return f"{field} {problem}"
    return None


def _refuse(work: Work, reason: Reason, message: str) -> None:
    """Nothing is started until somebody changes something."""
    if work.conditions.reason("Stalled") != reason:
        work.draft.events.append(Event(reason, message, "Warning"))
    work.conditions.stall(reason, message)


def _follow(work: Work, job: Object) -> None:
    """The Job is there and not finished."""
    adjust(work, job)
    tell_suspended(work, job)
    if work.job.spec.suspend and kueue.queue_of(job):  # Kueue would resume it
        work.draft.actions.append(deletion(job))
    pods = work.pods_of(None)
    pod = run_status.newest(pods)
    if work.job.spec.workers > 1:
        _note_disruption(work, job, pods)
    tell_blocked(work, run_status.blocked(pods) or run_status.refused(work.observed.refused))
    if len(pods) < work.job.spec.workers and not job["spec"].get("suspend"):
        work.draft.requeue(_LOOK)
    if run_status.stage_succeeded(pods, "prepare"):
        work.conditions.set("DataValid", True, "ChecksPassed")
    _advance(work, pod)
    if work.values["progress"]:
        work.update_run(phase="Running")


def _note_disruption(work: Work, job: Object, pods: Sequence[Object]) -> None:
    """Its peers fail when a pod is taken away, and when the Job has, that pod may be gone."""
    meta = job["metadata"]
    if c.ANNOTATION_DISRUPTED in meta.get("annotations", {}) or not attempts.is_disrupted(pods):
        return
    patch = {"metadata": {"annotations": {c.ANNOTATION_DISRUPTED: "true"}}}
    work.draft.actions.append(MergePatch("batch/v1", "Job", meta["namespace"], meta["name"], patch))


def _advance(work: Work, pod: Object | None) -> None:
    """How far the run is. A stage is told once, also if a later attempt begins anew."""
    before = work.values.get("progress") or 0
    reached = run_status.progress(pod, work.observed.percent)
    work.values["progress"] = max(before, reached)
    stage = run_status.stage_of(reached)
    if reached > before and stage != run_status.stage_of(before):
        work.draft.events.append(Event("StageStarted", f"run {work.run.number}: {stage}"))
    if work.job.spec.trainer.container is not None and pod and run_status.is_running(pod, "train"):
        work.draft.requeue(_LOOK)


def _fail(work: Work, trouble: Trouble) -> None:
    at = f"{trouble.stage}: " if trouble.stage else ""
    message = f"{at}{trouble.message}"[:1000]
    work.update_run(phase="Failed", finished_at=timestamp(work.now), message=message)
    work.values["completion_time"] = timestamp(work.now)
    work.conditions.stall(trouble.reason, message)
    work.conditions.set("Failed", True, trouble.reason, message)
    work.conditions.set("Complete", False, trouble.reason)
    if trouble.stage in ("fetch", "prepare") and trouble.reason not in (
        "StoreUnreachable",
        "OutOfMemory",
    ):
        work.conditions.set("DataValid", False, trouble.reason, trouble.message)
    work.draft.events.append(Event("RunFailed", message, "Warning"))


def _complete(job: Object) -> bool:
    return run_status.job_condition(job, "Complete") is not None
