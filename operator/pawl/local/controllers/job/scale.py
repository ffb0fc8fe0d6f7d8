"""How many pods of a Job should run now: which to delete, which to create.

Source: Controller.manageJob in pkg/controller/job/job_controller.go. As there, status.active says
0 while a Job waits for its back-off, whatever still runs.
"""

from dataclasses import dataclass
from datetime import datetime

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.changes import Change, Create, Delete, Patch
from pawl.local.controllers.job import indexes, policies
from pawl.local.controllers.job.backoff import remaining_for_index
from pawl.local.controllers.job.facts import Facts, has_valid_index, pod_indexes
from pawl.local.controllers.job.spec import (
    API_VERSION,
    COMPLETION_INDEX,
    INDEX_FAILURES,
    INDEX_IGNORED_FAILURES,
    KIND,
    TRACKING_FINALIZER,
    completion_index,
    count_annotation,
    is_tracked,
)
from pawl.local.controllers.objects import (
    Obj,
    controller_reference,
    finalizers,
    meta,
    name,
    namespace,
    uid,
)

INDEX_ENV = "JOB_COMPLETION_INDEX"
_GENERATED_NAME_MAX = 58  # of 63, five are random


@dataclass(frozen=True)
class Scaling:
    """Changes, the counts that hold once they are done, and when more may be created."""

    changes: tuple[Change, ...]
    active: int
    ready: int
    terminating: int
    requeue_after: float | None = None


def unchanged(facts: Facts) -> Scaling:
    return Scaling((), len(facts.active), _ready(facts.active), facts.terminating)


def delete_active(facts: Facts, job: Obj) -> Scaling:
    """The Job is decided: all its pods go. Their finalizers stay until they are counted."""
    changes = tuple(Delete("pods", pod, job) for pod in facts.active)
    return Scaling(changes, 0, 0, facts.terminating + len(facts.active))


def scale(facts: Facts, job: Obj, now: datetime) -> Scaling:
    spec, active = facts.spec, len(facts.active)
    if spec.suspended:
        return _delete(facts, job, list(facts.active))
    goal = _goal(facts)
    doomed = _surplus(facts, max(active - goal, 0), now)
    if doomed:
        return _delete(facts, job, doomed[: pod_rules.BURST])
    missing = goal - active - (facts.terminating if spec.replace_only_failed else 0)
    if missing > 0:
        return _create(facts, job, min(missing, pod_rules.BURST), now)
    return unchanged(facts)


def _goal(facts: Facts) -> int:
    spec = facts.spec
    if spec.completions is None:  # a work queue: once one pod succeeded, no new ones are started
        return len(facts.active) if facts.succeeded else spec.parallelism
    return max(min(spec.completions - facts.succeeded, spec.parallelism), 0)


def release(pod: Obj) -> Patch:
    """Let go of a pod that is counted, or need not be."""
    left = [f for f in finalizers(pod) if f != TRACKING_FINALIZER]
    return Patch("pods", pod, {"metadata": {"uid": uid(pod), "finalizers": left or None}})


def _delete(facts: Facts, job: Obj, doomed: list[Obj]) -> Scaling:
    changes: list[Change] = []
    for pod in doomed:
        if is_tracked(pod):
            changes.append(release(pod))
        changes.append(Delete("pods", pod, job))
    return Scaling(
        tuple(changes),
        len(facts.active) - len(doomed),
        _ready(facts.active) - _ready(doomed),
        facts.terminating + len(doomed),
    )


def _surplus(facts: Facts, at_least: int, now: datetime) -> list[Obj]:
    """Pods with a repeated or impossible index, then those that lose least, up to `at_least`."""
    pods = pod_rules.deletion_order(facts.active, now)
    if not facts.spec.indexed:
        return pods[:at_least]
    kept: dict[int, Obj] = {}
    wrong: list[Obj] = []
    for pod in pods:
        index = completion_index(pod)
        if index is None or not has_valid_index(pod, facts.spec):
            wrong.append(pod)
            continue
        if index in kept:
            wrong.append(kept[index])
        kept[index] = pod
    rest = [pod for pod in pods if pod not in wrong]
    return wrong + rest[: max(at_least - len(wrong), 0)]


def _create(facts: Facts, job: Obj, count: int, now: datetime) -> Scaling:
    now_indexes: list[int | None] = [None] * count
    wait = facts.backoff.remaining(now) if facts.spec.backoff_limit_per_index is None else 0.0
    if facts.spec.indexed:
        now_indexes, index_wait = _free_indexes(facts, count, now)
        wait = wait or index_wait
    same = unchanged(facts)
    if wait > 0:
        return Scaling((), 0, same.ready, same.terminating, requeue_after=wait)
    created = tuple(Create("pods", namespace(job), _pod(facts, job, i), job) for i in now_indexes)
    return Scaling(created, same.active + len(created), same.ready, same.terminating)


def _free_indexes(facts: Facts, count: int, now: datetime) -> tuple[list[int | None], float]:
    """Indexes that may be started now; when there is none, the shortest wait for one."""
    taken = facts.succeeded_indexes | pod_indexes(facts.active)
    taken |= facts.failed_indexes or frozenset()
    if facts.spec.replace_only_failed:
        taken |= pod_indexes([p for p in facts.pods if pod_rules.is_terminating(p)])
    free = indexes.pending(facts.spec.index_count, taken, count)
    if facts.spec.backoff_limit_per_index is None:
        return list(free), 0.0
    waits = {index: remaining_for_index(facts.delayed.get(index), now) for index in free}
    ready: list[int | None] = [index for index in free if waits[index] == 0]
    return ready, 0.0 if ready else min(waits.values(), default=0.0)


def _pod(facts: Facts, job: Obj, index: int | None) -> Obj:
    prefix = f"{name(job)}-"
    if index is not None:
        suffix = f"-{index}-"
        prefix = name(job)[: _GENERATED_NAME_MAX - len(suffix)] + suffix
    pod = pod_rules.from_template(
        facts.spec.template,
        controller_reference(job, API_VERSION, KIND),
        prefix=prefix,
        extra_finalizers=(TRACKING_FINALIZER,),
    )
    if index is not None:
        _give_index(pod, job, index)
        if facts.spec.backoff_limit_per_index is not None:
            meta(pod)["annotations"] |= _failure_counts(facts, index)
    return pod


def _give_index(pod: Obj, job: Obj, index: int) -> None:
    meta(pod)["annotations"][COMPLETION_INDEX] = str(index)
    meta(pod)["labels"][COMPLETION_INDEX] = str(index)
    pod["spec"]["hostname"] = f"{name(job)}-{index}"
    field = {"fieldRef": {"fieldPath": f"metadata.labels['{COMPLETION_INDEX}']"}}
    for kind in ("initContainers", "containers"):
        for container in pod["spec"].get(kind) or ():
            env = container.setdefault("env", [])
            if all(variable["name"] != INDEX_ENV for variable in env):
                env.append({"name": INDEX_ENV, "valueFrom": field})


def _failure_counts(facts: Facts, index: int) -> dict[str, str]:
    replaced = facts.delayed.get(index)
    if replaced is None:
        return {INDEX_FAILURES: "0"}
    counted = policies.judge(facts.spec.failure_policy, replaced).counted
    failures = count_annotation(replaced, INDEX_FAILURES) + counted
    ignored = count_annotation(replaced, INDEX_IGNORED_FAILURES) + (not counted)
    counts = {INDEX_FAILURES: str(failures)}
    return counts | ({INDEX_IGNORED_FAILURES: str(ignored)} if ignored else {})


def _ready(pods: tuple[Obj, ...] | list[Obj]) -> int:
    return sum(pod_rules.is_ready(pod) for pod in pods)
