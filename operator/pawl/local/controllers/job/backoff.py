"""How long a Job waits before it replaces a failed pod: 10 s, 20 s, 40 s … at most 10 minutes.

The count starts over with every success. Source: pkg/controller/job/backoff_utils.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pawl.local.controllers.job.spec import absolute_failures
from pawl.local.controllers.objects import Obj, condition, meta, parse_time, spec, status

FIRST, LONGEST = 10.0, 600.0  # seconds


@dataclass(frozen=True)
class Backoff:
    """Failures since the last success, and when the latest was. It lives as long as the Job."""

    failures: int = 0
    last_failure: datetime | None = None

    def after(self, succeeded: Iterable[Obj], failed: Iterable[Obj]) -> "Backoff":
        """With pods that finished since: only failures after the latest success count."""
        successes = sorted(finished_at(pod) for pod in succeeded)
        failures = sorted(finished_at(pod) for pod in failed)
        if successes:
            failures = [at for at in failures if at > successes[-1]]
            return Backoff(len(failures), failures[-1] if failures else None)
        if not failures:
            return self
        return Backoff(self.failures + len(failures), failures[-1])

    def remaining(self, now: datetime) -> float:
        """Seconds until a new pod may be created; 0 when it may be now."""
        return _remaining(self.failures, self.last_failure, now)


def remaining_for_index(last_failed: Obj | None, now: datetime) -> float:
    """The same per index, whose failures are counted in an annotation of its latest pod."""
    if last_failed is None:
        return 0.0
    return _remaining(absolute_failures(last_failed) + 1, finished_at(last_failed), now)


def _remaining(failures: int, last: datetime | None, now: datetime) -> float:
    if failures == 0 or last is None:
        return 0.0
    delay = min(FIRST * 2.0 ** min(failures - 1, 16), LONGEST)
    return max(delay - (now - last).total_seconds(), 0.0)


def finished_at(pod: Obj) -> datetime:
    """When the last container ended; else Ready=False, deletion, or creation as estimates."""
    if (ends := _container_ends(pod)) is not None:
        return ends
    ready = condition(pod, "Ready")
    if ready is not None and ready.get("status") == "False":
        at = parse_time(ready.get("lastTransitionTime"))
        if at is not None:
            return at
    deleted = parse_time(meta(pod).get("deletionTimestamp"))
    if deleted is not None:
        grace = meta(pod).get("deletionGracePeriodSeconds") or 0
        return deleted - timedelta(seconds=grace)
    return parse_time(meta(pod).get("creationTimestamp")) or datetime.fromtimestamp(0, UTC)


def _container_ends(pod: Obj) -> datetime | None:
    sidecars = {
        c["name"]
        for c in spec(pod).get("initContainers") or ()
        if c.get("restartPolicy") == "Always"
    }
    containers = [
        *(status(pod).get("containerStatuses") or ()),
        *(c for c in status(pod).get("initContainerStatuses") or () if c["name"] in sidecars),
    ]
    ends: list[datetime] = []
    for container in containers:
        terminated = (container.get("state") or {}).get("terminated") or {}
        at = parse_time(terminated.get("finishedAt"))
        if at is None:
            return None
        ends.append(at)
    return max(ends, default=None)
