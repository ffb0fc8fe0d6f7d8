"""One step of a Job: (observed, now) -> changes, status, events, back-off.

Order of the decisions, as in Controller.syncJob (pkg/controller/job/job_controller.go): what was
decided before, failure policy, back-off limit, deadline, failed indexes, success policy,
completions. A Job is first marked SuccessCriteriaMet or FailureTarget; Complete or Failed follows
when all its pods are counted and none is terminating. Invariants: never more than `parallelism`
pods are started, a pod is counted exactly once, a decided Job starts nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from pawl.local.controllers.changes import Change, Emit
from pawl.local.controllers.job import policies
from pawl.local.controllers.job.backoff import Backoff
from pawl.local.controllers.job.conditions import Outcome, ensure
from pawl.local.controllers.job.facts import Facts, Observed, gather
from pawl.local.controllers.job.scale import Scaling, delete_active, release, scale, unchanged
from pawl.local.controllers.job.spec import JobSpec, is_finished, is_tracked, read
from pawl.local.controllers.job.tracking import Standing, track
from pawl.local.controllers.objects import (
    Obj,
    age,
    deleting,
    find_condition,
    stamp,
    status,
)


@dataclass(frozen=True)
class JobPlan:
    changes: tuple[Change, ...]
    backoff: Backoff
    requeue_after: float | None = None


def plan_job(observed: Observed, now: datetime) -> JobPlan:
    job, spec = observed.job, read(observed.job)
    if spec.managed_elsewhere:
        return JobPlan((), observed.backoff)
    if is_finished(job):
        left = tuple(release(pod) for pod in observed.pods if is_tracked(pod))
        return JobPlan(left, Backoff())
    facts = gather(observed, spec)
    state = dict(status(job))
    if not state.get("startTime") and not spec.suspended:
        state["startTime"] = stamp(now)
    conditions = [dict(c) for c in state.get("conditions") or ()]

    outcome = _failure(facts, state, conditions, now) or _success_policy(facts, conditions)
    events: list[Emit] = []
    if outcome is not None:
        scaling = delete_active(facts, job)
    else:
        managed = not deleting(job)
        scaling = scale(facts, job, now) if managed else unchanged(facts)
        outcome = _completions(facts, scaling)
        if outcome is None and managed:
            events = _mark_suspension(job, spec, state, conditions, now)

    state["conditions"] = conditions
    standing = Standing(facts, scaling, outcome)
    tracked = track(job, standing, state, now)
    return JobPlan(
        changes=(*scaling.changes, *tracked, *events),
        backoff=facts.backoff,
        requeue_after=_next_look(spec, state, scaling, outcome, now),
    )


def _failure(facts: Facts, state: Obj, conditions: list[Obj], now: datetime) -> Outcome | None:
    spec = facts.spec
    if (met := find_condition(conditions, "SuccessCriteriaMet")) and met["status"] == "True":
        return Outcome.success(met["reason"], met["message"])
    if (target := find_condition(conditions, "FailureTarget")) and target["status"] == "True":
        return Outcome.failure(target["reason"], target["message"])
    if message := policies.fail_job_message(spec, facts.pods):
        return Outcome.failure("PodFailurePolicy", message)
    if facts.failed > spec.backoff_limit or _restarts_exceed(facts):
        return Outcome.failure(
            "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        )
    if _deadline_left(spec, state, now) == 0.0:
        return Outcome.failure("DeadlineExceeded", "Job was active longer than specified deadline")
    return _failed_indexes(facts)


def _restarts_exceed(facts: Facts) -> bool:
    """With restartPolicy OnFailure it is the kubelet that tries again: its restarts count."""
    if not facts.spec.restart_on_failure:
        return False
    restarts = sum(
        container.get("restartCount", 0)
        for pod in facts.pods
        if status(pod).get("phase") in {"Running", "Pending"}
        for kind in ("initContainerStatuses", "containerStatuses")
        for container in status(pod).get(kind) or ()
    )
    return bool(restarts >= max(facts.spec.backoff_limit, 1))


def _deadline_left(spec: JobSpec, state: Obj, now: datetime) -> float | None:
    if spec.active_deadline is None or spec.suspended or not state.get("startTime"):
        return None
    return max(spec.active_deadline - age(state["startTime"], now), 0.0)


def _failed_indexes(facts: Facts) -> Outcome | None:
    if not facts.failed_indexes:
        return None
    failed, limit = len(facts.failed_indexes), facts.spec.max_failed_indexes
    if limit is not None and failed > limit:
        return Outcome.failure(
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        )
    if failed + len(facts.succeeded_indexes) >= facts.spec.index_count:
        return Outcome.failure("FailedIndexes", "Job has failed indexes")
    return None


def _success_policy(facts: Facts, conditions: list[Obj]) -> Outcome | None:
    message = policies.success_message(facts.spec, facts.succeeded_indexes)
    return Outcome.success("SuccessPolicy", message) if message else None


def _completions(facts: Facts, scaling: Scaling) -> Outcome | None:
    goal = facts.spec.completions
    reached = facts.succeeded > 0 if goal is None else facts.succeeded >= goal
    if not reached or scaling.active:
        return None
    return Outcome.success("CompletionsReached", "Reached expected number of succeeded pods")


def _mark_suspension(
    job: Obj, spec: JobSpec, state: Obj, conditions: list[Obj], now: datetime
) -> list[Emit]:
    """A suspended Job forgets its start: the deadline counts from when it is resumed."""
    if spec.suspended:
        text = {"reason": "JobSuspended", "message": "Job suspended"}
        if not ensure(conditions, "Suspended", "True", **text, now=now):
            return []
        state.pop("startTime", None)
        return [Emit(job, "Normal", "Suspended", "Job suspended")]
    text = {"reason": "JobResumed", "message": "Job resumed"}
    if not ensure(conditions, "Suspended", "False", **text, now=now):
        return []
    state["startTime"] = stamp(now)
    return [Emit(job, "Normal", "Resumed", "Job resumed")]


def _next_look(
    spec: JobSpec, state: Obj, scaling: Scaling, outcome: Outcome | None, now: datetime
) -> float | None:
    if outcome is not None:
        return None
    looks = (scaling.requeue_after, _deadline_left(spec, state, now))
    return min((seconds for seconds in looks if seconds is not None), default=None)
