"""Which run of a TrainingJob there should be: the current one, the one that a lost status knew of,
or the next."""

from __future__ import annotations

from pawl import constants as c
from pawl.api.trainingjob import RunStatus
from pawl.core.conditions import timestamp
from pawl.core.plan import Delete, Event
from pawl.core.recipe import recipe_digest
from pawl.core.run_work import FINISHED, Work, run_of


def choose_run(work: Work) -> None:
    """Keep the current run, find it again after a lost status, or start the next."""
    status, digest = work.job.status, recipe_digest(work.job.spec)
    run = status.run or _recovered(work, digest)
    if run is None:
        _start(work, 1, digest)
    elif run.recipe_digest != digest:
        ended = run
        if run.phase not in FINISHED:
            ended = run.model_copy(update={"phase": "Superseded"})
            text = f"run {run.number} ends: the recipe has changed"
            work.draft.events.append(Event("RunSuperseded", text))
        work.values["runs"] = (ended, *status.runs)[:10]
        _start(work, run.number + 1, digest)
    else:
        work.values["run"] = run
    for job in work.observed.jobs:
        if run_of(job) < work.run.number and "deletionTimestamp" not in job["metadata"]:
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
    numbers = [run_of(job) for job in work.observed.jobs]
    for version in work.versions:
        made_by = version.spec.lineage.training_job if version.spec.lineage else None
        if made_by is not None and made_by.uid == work.meta["uid"]:
            numbers.append(made_by.run)
    if not numbers:
        return None
    number = max(numbers)
    job = work.job_of(number)
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
