"""Which run of a TrainingJob there should be: the current one, the one that a lost status knew of,
or the next."""

from __future__ import annotations

from collections.abc import Mapping

from pawl import constants as c
from pawl.api.trainingjob import RunStatus
from pawl.core.attempts import attempt_of
from pawl.core.conditions import timestamp
from pawl.core.plan import Event
from pawl.core.recipe import recipe_digest
from pawl.core.run_triggers import Trigger, triggered
from pawl.core.run_work import FINISHED, Work, deletion, run_of, trial_of

#: Of status.runs.
_MOST_RUNS = 10


def choose_run(work: Work) -> None:
    """Keep the current run, find it again after a lost status, or start the next."""
    status, digest = work.job.status, recipe_digest(work.job.spec)
    run = status.run or _recovered(work, digest)
    if run is None:
        _start(work, 1, digest)
        run = work.run
    if run.recipe_digest != digest:
        _end(work, run, "the recipe has changed")
        _start(work, run.number + 1, digest)
    elif _goes_on(work, run):
        _end(work, run)
        _start(work, run.number + 1, digest, resumes=run.resumes or run.number)
    elif (trigger := triggered(work, run)) is not None:
        _end(work, run, f"another one is {trigger.message}")
        _start(work, run.number + 1, digest, trigger=trigger)
    else:
        work.values["run"] = run
    work.values["runs"] = _kept(work, work.values["runs"])
    over, last = work.run.phase in FINISHED, work.job_of(work.run.number)
    for job in work.observed.jobs:
        left = run_of(job) < work.run.number
        if trial_of(job) is not None:
            left |= over
        elif last is not None:
            left |= attempt_of(job).number < attempt_of(last).number
        if left and "deletionTimestamp" not in job["metadata"]:
            work.draft.actions.append(deletion(job))


def _end(work: Work, run: RunStatus, why: str = "") -> None:
    """The next run follows; one that goes on is superseded."""
    if run.phase not in FINISHED:
        run = run.model_copy(update={"phase": "Superseded"})
        work.draft.events.append(Event("RunSuperseded", f"run {run.number} ends: {why}"))
    work.values["runs"] = (run, *work.job.status.runs)


def _kept(work: Work, runs: tuple[RunStatus, ...]) -> tuple[RunStatus, ...]:
    """The newest of both kinds, as many as the limits say."""
    spec = work.job.spec
    left = {True: spec.successful_runs_history_limit, False: spec.failed_runs_history_limit}
    found = []
    for run in runs:
        succeeded = run.phase in ("Succeeded", "NoNewData")
        left[succeeded] -= 1
        if left[succeeded] >= 0:
            found.append(run)
    return tuple(found[:_MOST_RUNS])


def _goes_on(work: Work, run: RunStatus) -> bool:
    """Whether a search that a limit has ended has a larger one now."""
    search, trials = work.job.spec.search, work.job.status.trials
    if search is None or trials is None or run.phase not in ("Succeeded", "Failed"):
        return False
    match work.job.status.search:
        case "MaxTrials":
            return trials.ended < search.max_trials
        case "MaxFailedTrials":
            return trials.failed <= search.max_failed_trials and trials.ended < search.max_trials
        case _:
            return False


def _start(
    work: Work,
    number: int,
    digest: str,
    resumes: int | None = None,
    trigger: Trigger | None = None,
) -> None:
    work.values |= {
        "run": RunStatus(
            number=number,
            phase="Pending",
            recipe_digest=digest,
            started_at=timestamp(work.now),
            resumes=resumes,
            trigger=trigger.kind if trigger is not None else None,
            due=trigger.due if trigger is not None else None,
        ),
        "progress": 0,
        "trials": None,
        "best": None,
        "search": None,
        "metrics": None,
        "score": None,
        "gates": (),
        "warnings": (),
        "data_digest": None,
        "files": (),
        "start_time": timestamp(work.now),
        "completion_time": None,
    }
    for type_ in ("DataValid", "Complete", "Failed"):
        work.conditions.drop(type_)
    why = f": {trigger.message}" if trigger is not None else ""
    work.draft.events.append(Event("RunStarted", f"run {number} of {work.job.spec.model}{why}"))


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
    told: Mapping[str, str] = next(
        (j["metadata"].get("annotations", {}) for j in work.observed.jobs if run_of(j) == number),
        {},
    )
    recorded = told.get(c.ANNOTATION_RECIPE)
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
        resumes=int(told[c.ANNOTATION_SEARCH_RUN]) if c.ANNOTATION_SEARCH_RUN in told else None,
        started_at=work.meta.get("creationTimestamp"),
    )
