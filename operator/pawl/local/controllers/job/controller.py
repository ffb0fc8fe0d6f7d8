"""The shell around the Job planner, and the deletion of Jobs whose time to live is over."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from pawl.local.api.registry import Registry
from pawl.local.controllers.changes import Delete, Plan, Shell
from pawl.local.controllers.job.backoff import Backoff
from pawl.local.controllers.job.facts import Observed
from pawl.local.controllers.job.plan import plan_job
from pawl.local.controllers.job.scale import release
from pawl.local.controllers.job.spec import is_finished, is_tracked
from pawl.local.controllers.objects import (
    Key,
    Obj,
    age,
    controller_of,
    deleting,
    key_of,
    name,
    namespace,
    spec,
    status,
    uid,
)


class JobKey(NamedTuple):
    """A Job by name and uid: pods of a deleted Job must be let go though its name lives on."""

    namespace: str
    name: str
    uid: str


class JobController:
    name = "job"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "job-controller")
        self._backoff: dict[str, Backoff] = {}

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[JobKey]]]:
        return {"batch/jobs": _job_key, "pods": _owner_key}

    def reconcile(self, key: JobKey, now: datetime) -> float | None:
        job = self._shell.find("batch/jobs", Key(key.namespace, key.name))
        owned = self._shell.registry.owned(key.uid)
        pods = tuple(obj for resource, obj in owned if resource == "pods")
        if job is None or uid(job) != key.uid:
            self._backoff.pop(key.uid, None)
            self._shell.apply(release(pod) for pod in pods if is_tracked(pod))
            return None
        mine = tuple(p for p in pods if (controller_of(p) or {}).get("uid") == key.uid)
        plan = plan_job(Observed(job, mine, self._backoff.get(key.uid, Backoff())), now)
        self._shell.apply(plan.changes)
        self._backoff[key.uid] = plan.backoff
        return plan.requeue_after


class JobTtlController:
    """ttlSecondsAfterFinished (pkg/controller/ttlafterfinished)."""

    name = "ttl-after-finished"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "ttl-after-finished-controller")

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {"batch/jobs": lambda job: [key_of(job)]}

    def reconcile(self, key: Key, now: datetime) -> float | None:
        job = self._shell.find("batch/jobs", key)
        plan = plan_ttl(job, now) if job is not None else Plan()
        self._shell.apply(plan.changes)
        return plan.requeue_after


def plan_ttl(job: Obj, now: datetime) -> Plan:
    """Delete a finished Job, with its pods, so many seconds after it finished."""
    ttl = spec(job).get("ttlSecondsAfterFinished")
    if ttl is None or deleting(job) or not is_finished(job):
        return Plan()
    ended = next(
        c["lastTransitionTime"]
        for c in status(job)["conditions"]
        if c["type"] in {"Complete", "Failed"} and c["status"] == "True"
    )
    left = ttl - age(ended, now)
    if left > 0:
        return Plan(requeue_after=left)
    return Plan((Delete("batch/jobs", job, propagation="Foreground"),))


def _job_key(job: Obj) -> list[JobKey]:
    return [JobKey(namespace(job), name(job), uid(job))]


def _owner_key(pod: Obj) -> list[JobKey]:
    owner = controller_of(pod)
    if owner is None or owner["kind"] != "Job":
        return []
    return [JobKey(namespace(pod), owner["name"], owner["uid"])]
