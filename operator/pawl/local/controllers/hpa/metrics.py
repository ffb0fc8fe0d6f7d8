"""From what pods use to the number of replicas that the target asks for.

desired = ceil(ratio × pods), ratio = usage / target, kept within the tolerance of 1; pods that
are not ready or have no sample are assumed to use nothing when growing and their full request
when shrinking. Source: pkg/controller/podautoscaler/replica_calculator.go.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pawl.local.controllers import pods as pod_rules
from pawl.local.controllers.objects import Obj, condition, deleting, name, parse_time, spec, status
from pawl.local.controllers.resources import quantity

INITIALIZATION = timedelta(minutes=5)  # a starting pod's CPU says little about its load
INITIAL_READINESS = timedelta(seconds=30)
WINDOW = timedelta(seconds=15)  # over which a sample is an average


class Metrics(Protocol):
    """Where CPU usage comes from; the node implements it."""

    def cpu_millicores(self, namespace: str, pod: str) -> float | None:
        """Average use of the pod's processes lately; None when there is no sample yet."""
        ...


class MetricError(Exception):
    """The proposal cannot be computed; says why, in the controller's words."""


@dataclass(frozen=True)
class Tolerance:
    """How far from 1 the ratio may be without a change."""

    down: float = 0.1
    up: float = 0.1

    def within(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True)
class Sample:
    """Pods of a scale target with the milli-units (of CPU: cores) of those that have a sample."""

    pods: tuple[Obj, ...]
    usage: Mapping[str, float]
    replicas: int  # as the target's spec says
    now: datetime


@dataclass(frozen=True)
class Proposal:
    """Replicas, and what the status says of the metric (milli-units per pod, percent)."""

    replicas: int
    average: int
    utilization: int | None = None


@dataclass(frozen=True)
class _Groups:
    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    usage: Mapping[str, float]


def by_utilization(
    sample: Sample, target: int, tolerance: Tolerance, container: str = ""
) -> Proposal:
    """For a target in percent of the pods' CPU requests."""
    groups = _group(sample)
    requests = {name(pod): _request(pod, container) for pod in sample.pods}
    known = sum(requests[pod] for pod in groups.usage)
    if known == 0:
        raise MetricError("no metrics returned matched known pods")
    utilization = int(sum(groups.usage.values()) * 100 // known)
    average = int(sum(groups.usage.values()) // len(groups.usage))

    def ratio(usage: Mapping[str, float]) -> float:
        percent = sum(usage.values()) * 100 // sum(requests[pod] for pod in usage)
        return percent / target

    filler = {pod: requests[pod] * max(100, target) / 100 for pod in groups.missing}
    replicas = _propose(sample, groups, tolerance, ratio, filler)
    return Proposal(replicas, average, utilization)


def by_average(
    sample: Sample, target: int, tolerance: Tolerance, *, starting: bool = True
) -> Proposal:
    """For a target in milli-units per pod. `starting`: whether a starting pod is left out, as its
    CPU says little."""
    groups = _group(sample, starting=starting)
    average = int(sum(groups.usage.values()) // len(groups.usage))

    def ratio(usage: Mapping[str, float]) -> float:
        return int(sum(usage.values()) // len(usage)) / target

    filler = {pod: float(target) for pod in groups.missing}
    return Proposal(_propose(sample, groups, tolerance, ratio, filler), average)


class _Ratio(Protocol):
    def __call__(self, usage: Mapping[str, float]) -> float: ...


def _propose(
    sample: Sample,
    groups: _Groups,
    tolerance: Tolerance,
    ratio: _Ratio,
    filler: Mapping[str, float],
) -> int:
    seen = ratio(groups.usage)
    growing_unready = bool(groups.unready) and seen > 1.0
    if not growing_unready and not groups.missing:
        return sample.replicas if tolerance.within(seen) else math.ceil(seen * groups.ready)
    usage = dict(groups.usage)
    if seen < 1.0:
        usage |= filler
    elif seen > 1.0:
        usage |= dict.fromkeys(groups.missing, 0.0)
    if growing_unready:
        usage |= dict.fromkeys(groups.unready, 0.0)
    assumed = ratio(usage)
    if tolerance.within(assumed) or (seen - 1.0) * (assumed - 1.0) < 0:
        return sample.replicas  # too small a change, or the assumptions turned it around
    replicas = math.ceil(assumed * len(usage))
    turned = replicas > sample.replicas if assumed < 1.0 else replicas < sample.replicas
    return sample.replicas if turned else replicas


def _group(sample: Sample, *, starting: bool = True) -> _Groups:
    if not sample.usage:
        raise MetricError(
            "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
        )
    if not sample.pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    unready: set[str] = set()
    missing: set[str] = set()
    usage: dict[str, float] = {}
    for pod in sample.pods:
        if deleting(pod) or pod_rules.phase(pod) == "Failed":
            continue
        if pod_rules.phase(pod) == "Pending":
            unready.add(name(pod))
        elif name(pod) not in sample.usage:
            missing.add(name(pod))
        elif starting and _is_unready(pod, sample.now):
            unready.add(name(pod))
        else:
            usage[name(pod)] = sample.usage[name(pod)]
    if not usage:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return _Groups(len(usage), frozenset(unready), frozenset(missing), usage)


def _is_unready(pod: Obj, now: datetime) -> bool:
    ready, started = condition(pod, "Ready"), parse_time(status(pod).get("startTime"))
    changed = parse_time((ready or {}).get("lastTransitionTime"))
    if ready is None or started is None or changed is None:
        return True
    if started + INITIALIZATION > now:
        return ready["status"] == "False" or now < changed + WINDOW
    return ready["status"] == "False" and started + INITIAL_READINESS > changed


def _request(pod: Obj, container: str) -> float:
    """CPU request in millicores of the pod's containers, or of one."""
    total, found = 0.0, False
    sidecars = (
        c for c in spec(pod).get("initContainers") or () if c.get("restartPolicy") == "Always"
    )
    for one in (*(spec(pod).get("containers") or ()), *sidecars):
        if container in {"", one["name"]}:
            found = True
            request = ((one.get("resources") or {}).get("requests") or {}).get("cpu")
            if request is None:
                who = f"container {one['name']} of Pod {name(pod)}"
                raise MetricError(f"missing request for cpu in {who}")
            total += float(quantity(request) * 1000)
    if not found:
        raise MetricError(f"container {container} not found in Pod {name(pod)}")
    return total
