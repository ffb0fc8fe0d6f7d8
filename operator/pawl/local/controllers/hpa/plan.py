"""One look of an autoscaler: (observed, now) -> a new size of its target, status, events.

Source: reconcileAutoscaler in pkg/controller/podautoscaler/horizontal.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pawl.local.controllers.changes import Change, Emit, Patch, SetStatus
from pawl.local.controllers.hpa.behavior import Bounds, Memory, decide
from pawl.local.controllers.hpa.evaluate import Failure, Rates, evaluate
from pawl.local.controllers.hpa.metrics import Sample
from pawl.local.controllers.objects import Obj, dig, find_condition, spec, stamp, status

RESOURCE = "autoscaling/horizontalpodautoscalers"
EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True)
class Target:
    """What is scaled: its resource name and object, where its size is, and its pods."""

    resource: str
    obj: Obj
    pods: tuple[Obj, ...] = ()
    size: tuple[str, ...] = ("spec", "replicas")

    @property
    def replicas(self) -> int:
        value = dig(self.obj, self.size)
        return 1 if value is None else int(value)

    def resize(self, replicas: int) -> Patch:
        body: Any = replicas
        for part in reversed(self.size):
            body = {part: body}
        return Patch(self.resource, self.obj, body, subresource="scale")


@dataclass(frozen=True)
class Observed:
    """An autoscaler, its target (or why it cannot be had), millicores by pod name, and the metrics
    of pods."""

    hpa: Obj
    target: Target | None
    missing: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    rates: Rates = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True)
class HpaPlan:
    changes: tuple[Change, ...]
    memory: Memory


class _Draft:
    """Conditions and events of one look."""

    def __init__(self, observed: Observed, now: datetime) -> None:
        self.hpa, self.now = observed.hpa, now
        self.conditions = [dict(c) for c in status(observed.hpa).get("conditions") or ()]
        self.events: list[Change] = []

    def set(self, kind: str, value: bool, text: tuple[str, str]) -> None:
        new = {"type": kind, "status": str(value), "reason": text[0], "message": text[1]}
        old = find_condition(self.conditions, kind)
        if old is None:
            self.conditions.append({**new, "lastTransitionTime": stamp(self.now)})
            return
        if old["status"] != new["status"]:
            old["lastTransitionTime"] = stamp(self.now)
        old.update(new)

    def tell(self, kind: EventType, reason: str, message: str) -> None:
        self.events.append(Emit(self.hpa, kind, reason, message))

    def status_change(self, new: Obj) -> list[Change]:
        kept = {k: v for k, v in new.items() if v is not None}
        full = {**kept, "conditions": self.conditions}
        same = full == status(self.hpa)
        return [] if same else [SetStatus(RESOURCE, self.hpa, full)]


def plan_hpa(observed: Observed, now: datetime) -> HpaPlan:
    draft, target, memory = _Draft(observed, now), observed.target, observed.memory
    if target is None:
        return _without_target(draft, observed)
    text = "the HPA controller was able to get the target's current scale"
    draft.set("AbleToScale", True, ("SucceededGetScale", text))
    if not memory.proposals:
        memory = memory.proposed(target.replicas, now)
    minimum = spec(observed.hpa).get("minReplicas")
    least, most = 1 if minimum is None else minimum, spec(observed.hpa)["maxReplicas"]
    bounds = Bounds(target.replicas, least, most)
    if forced := _forced(draft, bounds):
        return _rescale(draft, target, *forced, statuses=[], memory=memory)
    sample = Sample(target.pods, observed.usage, target.replicas, now)
    found = evaluate(observed.hpa, sample, observed.rates)
    if isinstance(found, Failure):
        return _without_metrics(draft, found, target.replicas, memory)
    draft.set("ScalingActive", True, ("ValidMetricFound", f"{_CALCULATED} {found.label}"))
    decision = decide(found.replicas, bounds, spec(observed.hpa).get("behavior"), memory, now)
    memory = memory.proposed(found.replicas, now)
    draft.set("AbleToScale", True, decision.able)
    draft.set("ScalingLimited", decision.limited, decision.limit)
    more = found.replicas > target.replicas
    why = f"{found.label} above target" if more else "All metrics below target"
    return _rescale(draft, target, decision.replicas, why, statuses=found.statuses, memory=memory)


def _forced(draft: _Draft, bounds: Bounds) -> tuple[int, str] | None:
    """The size, and why, when no metric is asked."""
    if bounds.current == 0:
        text = "scaling is disabled since the replica count of the target is zero"
        draft.set("ScalingActive", False, ("ScalingDisabled", text))
        return 0, ""
    if bounds.current > bounds.most:
        return bounds.most, "Current number of replicas above Spec.MaxReplicas"
    if bounds.current < bounds.least:
        return bounds.least, "Current number of replicas below Spec.MinReplicas"
    return None


def _rescale(
    draft: _Draft, target: Target, desired: int, why: str, *, statuses: list[Obj], memory: Memory
) -> HpaPlan:
    current, rescale = target.replicas, []
    last_scale = status(draft.hpa).get("lastScaleTime")
    if desired != current:
        rescale.append(target.resize(desired))
        text = f"the HPA controller was able to update the target scale to {desired}"
        draft.set("AbleToScale", True, ("SucceededRescale", text))
        draft.tell("Normal", "SuccessfulRescale", f"New size: {desired}; reason: {why}")
        if spec(draft.hpa).get("behavior") is not None:
            memory = memory.scaled(desired - current, draft.now)
        last_scale = stamp(draft.now)
    written = draft.status_change(
        {
            "currentReplicas": current,
            "desiredReplicas": desired,
            "lastScaleTime": last_scale,
            "currentMetrics": statuses or None,
        }
    )
    return HpaPlan((*rescale, *written, *draft.events), memory)


def _without_target(draft: _Draft, observed: Observed) -> HpaPlan:
    draft.tell("Warning", "FailedGetScale", observed.missing)
    text = "the HPA controller was unable to get the target's current scale"
    draft.set("AbleToScale", False, ("FailedGetScale", f"{text}: {observed.missing}"))
    written = draft.status_change(dict(status(observed.hpa)))
    return HpaPlan((*written, *draft.events), observed.memory)


_CALCULATED = "the HPA was able to successfully calculate a replica count from"


def _without_metrics(draft: _Draft, failure: Failure, current: int, memory: Memory) -> HpaPlan:
    text = f"the HPA was unable to compute the replica count: {failure.message}"
    draft.set("ScalingActive", False, (failure.reason, text))
    draft.tell("Warning", failure.reason, failure.message)
    draft.tell("Warning", "FailedComputeMetricsReplicas", failure.summary)
    before = status(draft.hpa)
    written = draft.status_change(
        {
            "currentReplicas": current,
            "desiredReplicas": before.get("desiredReplicas", 0),
            "lastScaleTime": before.get("lastScaleTime"),
        }
    )
    return HpaPlan((*written, *draft.events), memory)
