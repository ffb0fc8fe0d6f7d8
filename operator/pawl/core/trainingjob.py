"""Plans a TrainingJob: which run there should be, its Job, and the one ModelVersion it may give.

A run is keyed by (uid of the TrainingJob, number). Its ModelVersion is made in this order, so that
an operator that dies anywhere in it, or two operators at once, make one version and no more:
the number is reserved in `status.run` (under a resourceVersion precondition) → claimed in the
store (put if absent) → the object is created by its name → the run is Succeeded in status.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from pawl.api.trainingjob import TrainingJob, TrainingJobStatus
from pawl.core import transitions
from pawl.core.conditions import Conditions
from pawl.core.installation import Installation
from pawl.core.invalid import plan_invalid
from pawl.core.plan import Plan
from pawl.core.run_choice import choose_run
from pawl.core.run_steps import drive
from pawl.core.run_work import FINISHED, WAITS, TrainingJobObserved, Work
from pawl.core.tracking import plan_tracking
from pawl.core.versions import read_versions

__all__ = ["TrainingJobObserved", "plan_training_job"]


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
        return plan_invalid(old, item, error, now)
    conditions = Conditions(job.status.conditions, generation=generation, now=now)
    versions = read_versions(observed.versions, job.spec.model)
    work = Work(observed, job, versions, conditions, now, installation)
    work.values = dict(job.status) | {"observed_generation": generation}
    choose_run(work)
    if work.run.phase not in FINISHED:
        drive(work)
    else:
        _tell_finished(work)
    work.values["tracking"] = plan_tracking(job, observed.tracking, conditions, work.draft)
    work.draft.events += transitions.events(conditions)
    work.values["phase"] = _phase(work)
    status = TrainingJobStatus(**work.values | {"conditions": conditions.all()})
    return work.draft.finish(status.render())


def _tell_finished(work: Work) -> None:
    """Refresh what kstatus reads; the outcome itself stays as it was told."""
    phase = work.run.phase
    if phase in ("Succeeded", "NoNewData", "Reproduced", "Differs"):
        reason = "Complete" if phase == "Succeeded" else phase
        work.conditions.accept(ready=True, reason=reason, message=work.run.message)
    else:  # nothing more happens until the spec changes
        work.conditions.stall("Failed", work.run.message)
    work.conditions.drop("Suspended")


def _phase(work: Work) -> str:
    """The run in a word."""
    if work.run.phase in FINISHED:
        return work.run.phase
    if work.job.spec.suspend:
        return "Suspended"
    return "Queued" if work.conditions.reason("Suspended") == WAITS else work.run.phase
