"""One step of a search: trials that are over are recorded, others begin.

A trial is one Job, which says in an annotation what it was told. Its record in the store is what
counts: with it the Job is of no use any more and goes, so that a search of a thousand trials is
never more than a few objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pawl import constants as c
from pawl.api.search import Search
from pawl.artifacts.runs import TrialTask
from pawl.artifacts.trials import Trial
from pawl.core import run_status
from pawl.core.manifests.training import build_job, configure
from pawl.core.plan import Create, Event, RecordTrial, RecordTrials
from pawl.core.run_config import annotations_of, as_text, known, labels_of, run_config
from pawl.core.run_status import Trouble
from pawl.core.run_work import (
    Object,
    SearchObserved,
    Work,
    adjust,
    deletion,
    run_of,
    tell_blocked,
    tell_suspended,
)
from pawl.core.search._table import Table
from pawl.core.versions import Version

#: Seconds between two looks at what trials report.
_LOOK = 3.0


@dataclass(frozen=True)
class Found:
    """The search is over: `best` is what is trained in the end."""

    table: Table
    best: Trial


def trial_jobs(jobs: tuple[Object, ...], run: int) -> dict[int, tuple[Object, TrialTask]]:
    """The Jobs of trials of a run by number, those that are being deleted aside."""
    return {
        task.number: (job, task)
        for job in jobs
        if run_of(job) == run
        and "deletionTimestamp" not in job["metadata"]
        and (text := job["metadata"].get("annotations", {}).get(c.ANNOTATION_TRIAL))
        and (task := TrialTask.model_validate_json(text))
    }


def gaps(trials: Mapping[int, Any], jobs: Mapping[int, Any]) -> set[int]:
    """Numbers below others that have neither a record nor a Job: somebody deleted it."""
    known = {*trials, *jobs}
    return set(range(max(known, default=0))) - known


def step(work: Work, search: Search, observed: SearchObserved) -> Found | Trouble | None:
    """Records what is over and begins what is to be tried next: None. Found when the search is
    over, Trouble when the run has failed."""
    jobs = trial_jobs(work.observed.jobs, work.run.number)
    table = _recorded(work, Table(search, observed.trials), observed, jobs)
    if isinstance(table, Trouble):
        return table
    over = set(table.trials)
    for number in sorted(set(jobs) & over):
        work.draft.actions.append(deletion(jobs[number][0]))
    running = {number: job for number, (job, _) in jobs.items() if number not in over}
    for job in running.values():
        adjust(work, job)
    _tell(work, table, set(running))
    reason = table.ended()
    if reason == "MaxFailedTrials" or (reason and not running):
        return _over(work, table, reason)
    if observed.error:
        return Trouble("SearchImpossible", observed.error)
    if not work.job.spec.suspend:
        _begin(work, table, observed, set(running))
    work.draft.requeue(_LOOK if search.pruner != "none" and running else 30)
    return None


def _recorded(
    work: Work,
    table: Table,
    observed: SearchObserved,
    jobs: Mapping[int, tuple[Object, TrialTask]],
) -> Table | Trouble:
    """The table with the trials that have ended since; Trouble where no other can fare better."""
    for number in sorted({*jobs, *gaps(table.trials, jobs)} - set(table.trials)):
        job, task = jobs.get(number, (None, None))
        ended = _ended(work, observed, number, job, task)
        if isinstance(ended, Trouble):
            return ended
        if ended is None:
            continue
        pinned = table.data_digest()
        if pinned and ended.data_digest not in (None, pinned):
            text = f"the data changed while the search went on: trial {number} saw other ones"
            return Trouble("DataChanged", text, "prepare")
        table = Table(table.search, {**table.trials, number: ended})
        work.draft.actions.append(RecordTrial(work.meta["uid"], observed.run, ended))
        if ended.outcome == "Failed":
            text = f"trial {number}: {ended.message}"
            work.draft.events.append(Event("TrialFailed", text, "Warning"))
    return table


def _over(work: Work, table: Table, reason: str) -> Found | Trouble:
    """Nothing more is tried."""
    work.values["search"] = reason
    best = table.best
    if reason == "MaxFailedTrials":
        last = max(t.number for t in table.trials.values() if t.outcome == "Failed")
        text = f"more than {table.search.max_failed_trials} trials failed; trial {last}: "
        return Trouble("TrialsFailed", text + table.trials[last].message)
    if best is None:
        return Trouble("NoTrialSucceeded", f"none of {len(table.trials)} trials succeeded")
    work.draft.actions.append(RecordTrials(work.meta["uid"], work.run.number, table.lines()))
    work.values["progress"] = 70
    text = f"{len(table.trials)} trials ({reason}), the best is {best.number}"
    work.draft.events.append(Event("SearchFinished", text))
    return Found(table, best)


def _begin(work: Work, table: Table, observed: SearchObserved, running: set[int]) -> None:
    """The Jobs of the trials that were asked for, as many as may run."""
    taken = running | set(table.trials)
    asked = [proposal for proposal in observed.asked if proposal.number not in taken]
    labels, owner = labels_of(work), dict(work.observed.object)
    begun = asked[: table.wanted(len(running))]
    if not begun:
        return
    seen = () if work.run.resumes or table.trials else known(work)
    config = as_text(run_config(work, known=seen))
    for proposal in begun:
        task = TrialTask(
            number=proposal.number,
            search_run=observed.run,
            parameters=proposal.parameters,
            beside=proposal.beside,
            data_digest=table.data_digest(),
            steps=table.search.pruner != "none",
        )
        labelled = {**labels, c.LABEL_TRIAL: str(task.number)}
        job = build_job(owner, work.job.spec, work.run.number, labelled, work.installation, task)
        configure(job, config)
        told = task.model_dump_json(by_alias=True)
        job["metadata"]["annotations"] = {**annotations_of(work), c.ANNOTATION_TRIAL: told}
        work.draft.actions.append(Create(job))


def _tell(work: Work, table: Table, running: set[int]) -> None:
    """What the trials say of the run."""
    work.update_run(phase="Running")
    tell_suspended(work, None)
    troubles = (run_status.blocked(work.pods_of(number)) for number in sorted(running))
    refused = run_status.refused(work.observed.refused)
    tell_blocked(work, next(filter(None, troubles), refused))
    best, before = table.best_status(), work.job.status.best
    if best is not None and (before is None or before.trial != best.trial):
        values = ", ".join(f"{name} {value:.6g}" for name, value in best.values.items())
        chosen = ", ".join(f"{name}={text}" for name, text in best.parameters.items())
        work.draft.events.append(Event("BestTrial", f"trial {best.trial}: {values} ({chosen})"))
    work.values |= {"trials": table.counts(len(running)), "best": best}
    done = len(table.trials) / table.most
    work.values["progress"] = max(work.values.get("progress") or 0, int(70 * done))
    if table.data_digest():
        work.conditions.set("DataValid", True, "ChecksPassed")


def remember(work: Work) -> None:
    """What a lost status said of a search that is over."""
    spec, observed = work.job.spec.search, work.observed.search
    if spec is None or observed is None or not observed.trials or work.job.status.search:
        return
    table = Table(spec, observed.trials)
    work.values |= {"trials": table.counts(0), "best": table.best_status()}
    work.values["search"] = table.ended() or None


def _ended(
    work: Work,
    observed: SearchObserved,
    number: int,
    job: Object | None,
    task: TrialTask | None,
) -> Trial | Trouble | None:
    """The record of a trial that is over; Trouble where no other trial can fare better."""
    scored = observed.scored.get(number)
    told: dict[str, Any] = {"number": number, "reports": observed.reports.get(number, ())}
    if task is not None:
        told |= {"parameters": task.parameters, "beside": task.beside}
    if job is not None and run_status.job_condition(job, "Failed"):
        return _failed(run_status.failure(job, work.pods_of(number)), told)
    if scored is not None:
        told["parameters"] = scored.parameters
        return Trial(
            outcome="Succeeded",
            values=scored.values,
            data_digest=scored.data_digest,
            seconds=scored.seconds,
            **told,
        )
    if job is None:
        lost = Trouble("JobDeleted", "its Job was deleted before it was over")
        return _failed(lost, {"parameters": {}, **told})
    if run_status.job_condition(job, "Complete"):
        text = "the Job is complete, but the store holds no score of it"
        return _failed(Trouble("ResultMissing", text), told)
    return Trial(outcome="Pruned", **told) if number in observed.prune else None


def _failed(trouble: Trouble, told: Mapping[str, Any]) -> Trial | Trouble:
    """What is wrong with the data is wrong for every trial."""
    if trouble.stage in ("fetch", "prepare"):
        return trouble
    at = f"{trouble.stage}: " if trouble.stage else ""
    return Trial(outcome="Failed", message=f"{at}{trouble.message}"[:500], **told)


def version_of(work: Work, search_run: int, trial: int) -> Version | None:
    """The version that an earlier run of the same search made of a trial."""
    for version in work.versions:
        lineage = version.spec.lineage
        if lineage is None or lineage.training_job is None or lineage.search is None:
            continue
        made_by = lineage.training_job
        if (
            made_by.uid == work.meta["uid"]
            and search_run <= made_by.run < work.run.number
            and lineage.recipe_digest == work.run.recipe_digest
            and lineage.search.trial == trial
        ):
            return version
    return None
