"""Kueue: it decides when the Jobs of a queued TrainingJob run.

The labels that name the queue and the priority of a TrainingJob go to its Jobs, which are created
suspended. Kueue resumes one when there is room and writes scheduling fields into its template; it
suspends it again when it evicts. Pawl writes neither: Kueue would resume at once a Job that it has
admitted (kueue, pkg/controller/jobframework/reconciler.go). So `spec.suspend` deletes the Job,
which gives the quota back, and the Job is made anew when that ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]
QUEUE = "kueue.x-k8s.io/queue-name"
_LABELS = (QUEUE, "kueue.x-k8s.io/priority-class")


def queue_of(item: Object) -> str:
    """The queue of a TrainingJob or a Job; empty without one."""
    return str(labels(item).get(QUEUE, ""))


def labels(item: Object) -> dict[str, str]:
    """Kueue's labels of an object that is in a queue."""
    given = item.get("metadata", {}).get("labels") or {}
    return {name: given[name] for name in _LABELS if name in given} if given.get(QUEUE) else {}


def enqueue(owner: Object, job: dict[str, Any]) -> None:
    """Puts a Job that is about to be created into the queue of its TrainingJob, if it has one."""
    if given := labels(owner):
        job["metadata"]["labels"] |= given
        job["spec"]["suspend"] = True


def waits(job: Object) -> bool:
    """Whether a Job is suspended by Kueue."""
    return bool(queue_of(job) and job["spec"].get("suspend"))
