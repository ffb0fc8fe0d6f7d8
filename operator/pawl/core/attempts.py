"""Attempts of a run of several workers.

A Job puts another pod in the place of one that has failed, but its peers still wait for the one
that is gone. So the Job of several workers fails with the first of them, and all begin anew in the
Job of the next attempt, up to the TrainingJob's backoffLimit. Attempts that a disruption has ended
(eviction, preemption, drain) do not count, as they do not with one pod. Names differ by attempt:
no worker meets one of another attempt. Between attempts passes what a Job lets pass between pods:
10 s, 20 s, 40 s … at most 10 minutes (pkg/controller/job/backoff_utils.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.core.run_status import job_condition

Object = Mapping[str, Any]
_FIRST, _LONGEST = 10.0, 600.0  # seconds
_DISRUPTION = "DisruptionTarget"


@dataclass(frozen=True)
class Attempt:
    """`number` counts from 1; `failures` are those before it that count."""

    number: int = 1
    failures: int = 0

    @property
    def suffix(self) -> str:
        """Of the Job's name."""
        return f"a{self.number}" if self.number > 1 else ""


def attempt_of(job: Object) -> Attempt:
    """Of a Job; the first one where it says nothing."""
    meta = job["metadata"]
    return Attempt(
        int(meta.get("labels", {}).get(c.LABEL_ATTEMPT, 1)),
        int(meta.get("annotations", {}).get(c.ANNOTATION_FAILURES, 0)),
    )


def is_disrupted(pods: Iterable[Object]) -> bool:
    """Whether the cluster takes one of the pods away."""
    return any(
        condition["type"] == _DISRUPTION and condition["status"] == "True"
        for pod in pods
        for condition in pod.get("status", {}).get("conditions", [])
    )


def following(job: Object, pods: Iterable[Object], limit: int) -> Attempt | None:
    """The attempt after a Job that has failed; None when there is none: `limit` failures were
    allowed, or trying again cannot help."""
    failed, last = job_condition(job, "Failed") or {}, attempt_of(job)
    noted = c.ANNOTATION_DISRUPTED in job["metadata"].get("annotations", {})
    match failed.get("reason"):
        case "PodFailurePolicy":
            disrupted = _DISRUPTION in failed.get("message", "")
            if not disrupted:
                return None
        case "BackoffLimitExceeded":
            disrupted = noted or is_disrupted(pods)
        case _:
            return None
    if not disrupted and last.failures >= limit:
        return None
    return Attempt(last.number + 1, last.failures + (not disrupted))


def wait(job: Object, failures: int, now: datetime) -> float:
    """Seconds until the next attempt may begin."""
    at = (job_condition(job, "Failed") or {}).get("lastTransitionTime")
    if at is None:
        return 0.0
    since = (now - datetime.fromisoformat(at)).total_seconds()
    return max(0.0, min(_FIRST * 2.0 ** max(failures - 1, 0), _LONGEST) - since)
