"""What a Job's pods say: the counts and indexes on which every decision about it rests."""

from dataclasses import dataclass, field
from datetime import datetime

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.job import indexes, policies
from pawl.local.controllers.job.backoff import Backoff, finished_at
from pawl.local.controllers.job.spec import (
    INDEX_FAILURES,
    JobSpec,
    absolute_failures,
    completion_index,
    count_annotation,
    is_tracked,
)
from pawl.local.controllers.objects import Obj, status, uid


@dataclass(frozen=True)
class Observed:
    """A Job, the pods that it controls, and the back-off that its last reconciliation left."""

    job: Obj
    pods: tuple[Obj, ...]
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True)
class Facts:
    """Counts include pods that finished but are not in the status yet.

    `delayed` maps an index to the failed pod whose removal waits until a replacement has taken
    over its failure counts (backoffLimitPerIndex).
    """

    spec: JobSpec
    pods: tuple[Obj, ...]
    active: tuple[Obj, ...]
    terminating: int
    succeeded: int
    failed: int
    backoff: Backoff
    counted_indexes: frozenset[int]
    succeeded_indexes: frozenset[int]
    failed_indexes: frozenset[int] | None
    delayed: dict[int, Obj]


def gather(observed: Observed, spec: JobSpec) -> Facts:
    pods, state = observed.pods, status(observed.job)
    uncounted = state.get("uncountedTerminatedPods") or {}
    waiting_ok = frozenset(uncounted.get("succeeded") or ())
    waiting_bad = frozenset(uncounted.get("failed") or ())
    fresh = [p for p in pods if is_tracked(p) and _has_valid_index(p, spec)]
    new_ok = [p for p in fresh if pod_rules.phase(p) == "Succeeded" and uid(p) not in waiting_ok]
    new_bad = [p for p in fresh if policies.is_failed(p, spec) and uid(p) not in waiting_bad]
    counted = [p for p in new_bad if policies.judge(spec.failure_policy, p).counted]

    before = indexes.parse(state.get("completedIndexes"), spec.index_count)
    done = before | {i for p in new_ok if (i := completion_index(p)) is not None}
    failed_indexes = _failed_indexes(observed, spec, fresh)
    active = tuple(p for p in pods if pod_rules.is_active(p))
    succeeded = int(state.get("succeeded") or 0) + len(new_ok) + len(waiting_ok)
    return Facts(
        spec=spec,
        pods=pods,
        active=active,
        terminating=sum(pod_rules.is_terminating(p) for p in pods),
        succeeded=len(done) if spec.indexed else succeeded,
        failed=int(state.get("failed") or 0) + len(counted) + len(waiting_bad),
        backoff=observed.backoff.after(new_ok, new_bad),
        counted_indexes=before if spec.indexed else frozenset(),
        succeeded_indexes=done if spec.indexed else frozenset(),
        failed_indexes=failed_indexes,
        delayed=_delayed(spec, fresh, active, done | (failed_indexes or frozenset())),
    )


def pod_indexes(pods: tuple[Obj, ...] | list[Obj]) -> frozenset[int]:
    return frozenset(i for pod in pods if (i := completion_index(pod)) is not None)


def has_valid_index(pod: Obj, spec: JobSpec) -> bool:
    index = completion_index(pod)
    return index is not None and index < spec.index_count


def _has_valid_index(pod: Obj, spec: JobSpec) -> bool:
    return not spec.indexed or has_valid_index(pod, spec)


def _failed_indexes(observed: Observed, spec: JobSpec, fresh: list[Obj]) -> frozenset[int] | None:
    if not spec.indexed or spec.backoff_limit_per_index is None:
        return None
    before = indexes.parse(status(observed.job).get("failedIndexes"), spec.index_count)
    return before | pod_indexes([p for p in fresh if _fails_index(p, spec)])


def _fails_index(pod: Obj, spec: JobSpec) -> bool:
    if not policies.is_failed(pod, spec):
        return False
    verdict = policies.judge(spec.failure_policy, pod)
    used_up = count_annotation(pod, INDEX_FAILURES) >= (spec.backoff_limit_per_index or 0)
    return verdict.fail_index or (verdict.counted and used_up)


def _delayed(
    spec: JobSpec, fresh: list[Obj], active: tuple[Obj, ...], decided: frozenset[int]
) -> dict[int, Obj]:
    if not spec.indexed or spec.backoff_limit_per_index is None:
        return {}
    taken = decided | pod_indexes(active)
    latest: dict[int, tuple[int, datetime, Obj]] = {}
    for pod in fresh:
        index = completion_index(pod)
        if index is None or index in taken or not policies.is_failed(pod, spec):
            continue
        candidate = (absolute_failures(pod), finished_at(pod), pod)
        if index not in latest or candidate[:2] >= latest[index][:2]:
            latest[index] = candidate
    return {index: pod for index, (_, _, pod) in latest.items()}
