"""Counting a Job's finished pods exactly once, and marking the Job when all are counted.

Uids of finished pods go to status.uncountedTerminatedPods, then the pods lose their finalizer,
then the counters grow: whatever happens in between, the next reconciliation finds each pod
either with its finalizer (not counted) or in the list (count it once).
Source: trackJobStatusAndRemoveFinalizers in pkg/controller/job/job_controller.go.
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Change, Emit, SetStatus
from pawl.local.controllers.job import indexes, policies
from pawl.local.controllers.job.conditions import Outcome, ensure
from pawl.local.controllers.job.facts import Facts, has_valid_index
from pawl.local.controllers.job.scale import Scaling, release
from pawl.local.controllers.job.spec import completion_index, is_tracked
from pawl.local.controllers.objects import Obj, deleting, stamp, status, uid

MAX_UNCOUNTED = 500  # uids in the status at one time


@dataclass(frozen=True)
class Standing:
    """Where a Job stands in this reconciliation."""

    facts: Facts
    scaling: Scaling
    outcome: Outcome | None


def track(job: Obj, standing: Standing, state: Obj, now: datetime) -> list[Change]:
    """Status writes, finalizer removals and closing events, in the order they must happen."""
    facts, outcome = standing.facts, standing.outcome
    uncounted = state.get("uncountedTerminatedPods") or {}
    waiting = {kind: list(uncounted.get(kind) or ()) for kind in ("succeeded", "failed")}
    held = {uid(pod) for pod in facts.pods if is_tracked(pod)}
    _count(state, waiting, held)

    finished, more = _finished_pods(job, standing, waiting)
    state |= {
        "active": standing.scaling.active,
        "ready": standing.scaling.ready,
        "terminating": standing.scaling.terminating,
    }
    if facts.spec.indexed:
        new = {completion_index(p) for p in finished if pod_rules.phase(p) == "Succeeded"}
        done = facts.counted_indexes | (facts.succeeded_indexes & new)
        state["completedIndexes"] = indexes.render(done)
        state["succeeded"] = len(done)
        if facts.failed_indexes is not None:
            state["failedIndexes"] = indexes.render(facts.failed_indexes)
    if outcome is not None:
        _mark(state, outcome.interim, outcome, now)
    interim = _written(state, waiting)

    _count(state, waiting, held - {uid(pod) for pod in finished})
    closing: list[Change] = []
    if outcome is not None and not more and not any(waiting.values()) and not state["terminating"]:
        closing = _close(job, state, outcome, now)
    final = _written(state, waiting)

    changes: list[Change] = []
    if interim != status(job) and (finished or interim != final):
        changes.append(SetStatus("batch/jobs", job, interim))
    changes += [release(pod) for pod in finished]
    before = interim if changes else status(job)
    if final != before:
        changes.append(SetStatus("batch/jobs", job, final))
    return changes + closing


def _finished_pods(
    job: Obj, standing: Standing, waiting: dict[str, list[str]]
) -> tuple[list[Obj], bool]:
    """Pods to release, their uids noted in `waiting`; and whether some were left for later."""
    facts, outcome = standing.facts, standing.outcome
    finished: list[Obj] = []
    pods = list(facts.pods)
    if facts.spec.indexed:
        pods.sort(key=lambda pod: completion_index(pod) or 0)
    for pod in filter(is_tracked, pods):
        failed = policies.is_failed(pod, facts.spec)
        decided = deleting(job) or outcome is not None
        if not decided and not _may_go(pod, facts, failed=failed):
            continue
        if len(finished) >= MAX_UNCOUNTED:
            return finished, True
        finished.append(pod)
        if pod_rules.phase(pod) == "Succeeded":
            # an index is enough to count a success of an Indexed Job once
            if not facts.spec.indexed and uid(pod) not in waiting["succeeded"]:
                waiting["succeeded"].append(uid(pod))
        elif (failed or (outcome is not None and not outcome.succeeded)) and (
            # in a failed Job, pods that had not ended count as failed
            _counts(pod, facts) and uid(pod) not in waiting["failed"]
        ):
            waiting["failed"].append(uid(pod))
    return finished, False


def _may_go(pod: Obj, facts: Facts, *, failed: bool) -> bool:
    if pod_rules.phase(pod) == "Succeeded":
        return True
    waits = any(uid(pod) == uid(kept) for kept in facts.delayed.values())
    return failed and not waits


def _counts(pod: Obj, facts: Facts) -> bool:
    if facts.spec.indexed and not has_valid_index(pod, facts.spec):
        return False
    return policies.judge(facts.spec.failure_policy, pod).counted


def _count(state: Obj, waiting: dict[str, list[str]], held: set[str]) -> None:
    """Move the uids whose pods have no finalizer any more into the counters."""
    for kind, uids in waiting.items():
        released = [one for one in uids if one not in held]
        if released:
            state[kind] = int(state.get(kind) or 0) + len(released)
            waiting[kind] = [one for one in uids if one in held]


def _close(job: Obj, state: Obj, outcome: Outcome, now: datetime) -> list[Change]:
    # the interim status was rendered from the same list: leave that one alone
    state["conditions"] = [dict(c) for c in state["conditions"]]
    _mark(state, outcome.terminal, outcome, now)
    if not outcome.succeeded:
        return [Emit(job, "Warning", outcome.reason, outcome.message)]
    state["completionTime"] = stamp(now)
    events: list[Change] = []
    goal = job["spec"].get("completions")
    if goal is not None and state.get("succeeded", 0) > goal:
        text = "Too many succeeded pods running after completion count reached"
        events.append(Emit(job, "Warning", "TooManySucceededPods", text))
    return [*events, Emit(job, "Normal", "Completed", "Job completed")]


def _mark(state: Obj, kind: str, outcome: Outcome, now: datetime) -> None:
    text = {"reason": outcome.reason, "message": outcome.message}
    ensure(state["conditions"], kind, "True", **text, now=now)


def _written(state: Obj, waiting: dict[str, list[str]]) -> Obj:
    """The status as the typed API writes it: zero counts and empty texts are left out."""
    lists = {kind: list(uids) for kind, uids in waiting.items() if uids}
    new = {**deepcopy(state), "uncountedTerminatedPods": lists}
    kept = {"ready", "terminating", "failedIndexes", "uncountedTerminatedPods"}
    return {key: value for key, value in new.items() if value or key in kept}
