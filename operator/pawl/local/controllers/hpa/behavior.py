"""How fast a proposal may be followed: stabilization windows and rates of change.

Without `behavior`: up at most to max(2 × current, 4) at a time, down only when every proposal
of the last 5 minutes agrees. With it: as its policies say. Source: normalizeDesiredReplicas and
…WithBehaviors in pkg/controller/podautoscaler/horizontal.go.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pawl.local.controllers.objects import Obj

DOWNSCALE_WINDOW = 300  # seconds
_KEPT = timedelta(hours=1)  # the longest window and period that validation allows
_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN = {
    "stabilizationWindowSeconds": DOWNSCALE_WINDOW,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}

IN_RANGE = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
UP_LIMIT = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
DOWN_LIMIT = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
READY = ("ReadyForNewScale", "recommended size matches current size")
DOWN_STABLE = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation",
)
UP_STABLE = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)


@dataclass(frozen=True)
class Point:
    """A number of replicas (proposed, or added: negative when removed) at a time."""

    at: datetime
    replicas: int


@dataclass(frozen=True)
class Memory:
    """What the controller remembers of an autoscaler between two looks."""

    proposals: tuple[Point, ...] = ()
    changes: tuple[Point, ...] = ()

    def proposed(self, replicas: int, now: datetime) -> "Memory":
        return replace(self, proposals=(*_recent(self.proposals, now), Point(now, replicas)))

    def scaled(self, difference: int, now: datetime) -> "Memory":
        return replace(self, changes=(*_recent(self.changes, now), Point(now, difference)))


def _recent(points: Iterable[Point], now: datetime) -> tuple[Point, ...]:
    return tuple(p for p in points if p.at > now - _KEPT)


@dataclass(frozen=True)
class Bounds:
    """The autoscaler's limits and the target's size."""

    current: int
    least: int
    most: int


@dataclass(frozen=True)
class Decision:
    """Replicas to set, and (reason, message) of AbleToScale and ScalingLimited."""

    replicas: int
    able: tuple[str, str]
    limited: bool
    limit: tuple[str, str]


def decide(
    proposal: int, bounds: Bounds, behavior: Obj | None, memory: Memory, now: datetime
) -> Decision:
    """`memory` does not hold this proposal yet."""
    if behavior is None:
        stable, able = _stabilize(proposal, memory, now), DOWN_STABLE
        replicas, limit = _within_rules(stable, bounds)
    else:
        rules = Rules.read(behavior)
        stable, able = _stabilize_with(proposal, bounds, rules, memory, now=now)
        replicas, limit = _within_rates(stable, bounds, rules, memory, now=now)
    return Decision(replicas, able if stable != proposal else READY, replicas != stable, limit)


def _stabilize(proposal: int, memory: Memory, now: datetime) -> int:
    since = now - timedelta(seconds=DOWNSCALE_WINDOW)
    return max([proposal, *(p.replicas for p in memory.proposals if p.at >= since)])


def _within_rules(replicas: int, bounds: Bounds) -> tuple[int, tuple[str, str]]:
    fastest = max(2 * bounds.current, 4)
    most, reason = min((bounds.most, TOO_MANY), (fastest, UP_LIMIT), key=lambda pair: pair[0])
    if replicas < bounds.least:
        return bounds.least, TOO_FEW
    return (most, reason) if replicas > most else (replicas, IN_RANGE)


@dataclass(frozen=True)
class Rules:
    """spec.behavior with its defaults."""

    up: Obj
    down: Obj

    @classmethod
    def read(cls, behavior: Obj) -> "Rules":
        def filled(default: Obj, given: Obj | None) -> Obj:
            return default | {k: v for k, v in (given or {}).items() if v is not None}

        return cls(filled(_UP, behavior.get("scaleUp")), filled(_DOWN, behavior.get("scaleDown")))


def _stabilize_with(
    proposal: int, bounds: Bounds, rules: Rules, memory: Memory, *, now: datetime
) -> tuple[int, tuple[str, str]]:
    """As close to the current size as the proposals within both windows allow."""

    def recent(window: Obj) -> list[int]:
        since = now - timedelta(seconds=window["stabilizationWindowSeconds"])
        return [proposal, *(p.replicas for p in memory.proposals if p.at > since)]

    replicas = min(max(bounds.current, min(recent(rules.up))), max(recent(rules.down)))
    return replicas, UP_STABLE if proposal >= bounds.current else DOWN_STABLE


def _within_rates(
    replicas: int, bounds: Bounds, rules: Rules, memory: Memory, *, now: datetime
) -> tuple[int, tuple[str, str]]:
    if replicas > bounds.current:
        fastest = max(_limit(bounds.current, rules.up, memory, now, up=True), bounds.current)
        most, reason = min((bounds.most, TOO_MANY), (fastest, UP_LIMIT), key=lambda pair: pair[0])
        return (most, reason) if replicas > most else (replicas, IN_RANGE)
    if replicas < bounds.current:
        fastest = min(_limit(bounds.current, rules.down, memory, now, up=False), bounds.current)
        least, reason = max((bounds.least, TOO_FEW), (fastest, DOWN_LIMIT), key=lambda p: p[0])
        return (least, reason) if replicas < least else (replicas, IN_RANGE)
    return replicas, IN_RANGE


def _start(current: int, policy: Obj, memory: Memory, now: datetime) -> int:
    """The size at the start of the policy's period."""
    since = now - timedelta(seconds=policy["periodSeconds"])
    return current - sum(p.replicas for p in memory.changes if p.at > since)


def _limit(current: int, rule: Obj, memory: Memory, now: datetime, *, up: bool) -> int:
    """How far the fastest of the policies lets the size go, with Min the slowest."""
    if rule["selectPolicy"] == "Disabled":
        return current
    limits = []
    for policy in rule["policies"]:
        start = _start(current, policy, memory, now)
        step = policy["value"] if up else -policy["value"]
        scaled = start * (1 + step / 100)
        whole = math.ceil(scaled) if up else int(scaled)
        limits.append(whole if policy["type"] == "Percent" else start + step)
    slowest = rule["selectPolicy"] == "Min"
    return max(limits) if up != slowest else min(limits)
