"""Moving the traffic of a model from one version to another: a pure one-step function.

`step` looks at what is and says what the routers shall know next. It is called again whenever
something changed; a whole replacement is the fold of its steps. The order keeps every request
answered: pods of the target are ready → every router knows them and finds them healthy → the
routes point at them → every router has those routes → the routes forget the old version → no
request is under way there → the routers forget it → its pods go.

Invariants (tests/unit/core/test_rollout.py folds and searches for a violation):
* weights sum to 100 once anything is served;
* weight moves only to a version whose wanted pods are ready and healthy at every router;
* a version that any router may still send requests to keeps its pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pawl.core.routing.state import RouterState

Phase = Literal["Starting", "Warming", "Shifting", "Draining", "Serving"]
#: Version -> weight in per cent; None is known to the routers but not routed.
Weights = Mapping[int, int | None]


@dataclass(frozen=True)
class Pods:
    """Server pods of one version."""

    wanted: int
    ready: int

    @property
    def complete(self) -> bool:
        """All that are wanted are ready, and there is one at least."""
        return self.ready >= max(1, self.wanted)


@dataclass(frozen=True)
class Rollout:
    """What `step` may look at. `weights` are those of the published route, whose revisions are
    given for comparison with what the routers have."""

    target: int
    weights: Weights
    clusters_revision: str
    routes_revision: str
    pods: Mapping[int, Pods]
    routers: tuple[RouterState, ...]

    @property
    def current(self) -> int | None:
        """The version that the published route sends requests to."""
        return next((v for v, weight in self.weights.items() if weight), None)

    @property
    def clusters_confirmed(self) -> bool:
        """Every router knows the published set of versions."""
        return bool(self.routers) and all(
            router.clusters_revision == self.clusters_revision for router in self.routers
        )

    @property
    def routes_confirmed(self) -> bool:
        """Every router follows the published routes."""
        return bool(self.routers) and all(
            router.routes_revision == self.routes_revision for router in self.routers
        )


@dataclass(frozen=True)
class Step:
    """What shall be next. `serving` is the version that every router is known to send requests to
    (None while that is not certain), `removable` those whose pods nobody needs any more."""

    weights: Weights
    phase: Phase
    message: str
    serving: int | None
    removable: frozenset[int]


def step(now: Rollout) -> Step:
    """One step of the rollout. Repeating it without a change of what is observed is harmless."""
    current, target = now.current, now.target
    serving = current if now.routes_confirmed else None
    weights = dict(now.weights)
    pods = now.pods.get(target, Pods(1, 0))
    if current != target:
        phase, message = _towards(now, pods, weights)
    else:
        phase, message = _away(now, weights)
    removable = frozenset(
        version
        for version in now.pods
        if version not in now.weights and version != target and _forgotten(now)
    )
    return Step(weights, phase, message, serving, removable)


def _towards(now: Rollout, pods: Pods, weights: dict[int, int | None]) -> tuple[Phase, str]:
    """The target has no traffic yet: bring it there. Changes `weights`."""
    target, current = now.target, now.current
    if not pods.complete:
        return "Starting", f"{pods.ready} of {max(1, pods.wanted)} pods of v{target} are ready"
    if target not in weights:
        weights[target] = None
        return "Warming", f"telling the routers of v{target}"
    if not now.routers:
        return "Warming", "no router is ready"
    waiting = sum(router.healthy.get(target, 0) < pods.wanted for router in now.routers)
    if waiting or not now.clusters_confirmed:
        count = waiting or len(now.routers)
        return "Warming", f"{count} of {len(now.routers)} routers do not know all pods of v{target}"
    weights[target] = 100
    if current is not None:
        weights[current] = 0
    return "Shifting", f"all requests go to v{target}"


def _away(now: Rollout, weights: dict[int, int | None]) -> tuple[Phase, str]:
    """The target has the traffic: let the others go, one state at a time. Changes `weights`."""
    others = [version for version in weights if version != now.target]
    if not now.routes_confirmed:
        behind = sum(router.routes_revision != now.routes_revision for router in now.routers)
        return "Shifting", (
            f"{behind} of {len(now.routers)} routers do not have the new routes"
            if now.routers
            else "no router is ready"
        )
    for version in others:
        if weights[version] is not None:
            weights[version] = None
        elif all(router.active.get(version, 0) == 0 for router in now.routers):
            del weights[version]
    leaving = [version for version in now.pods if version != now.target]
    if others or leaving:
        names = ", ".join(f"v{version}" for version in sorted({*others, *leaving}))
        return "Draining", f"{names} leaves"
    return "Serving", f"v{now.target} serves"


def _forgotten(now: Rollout) -> bool:
    """No router can send a request to a version that the published route does not hold."""
    return now.clusters_confirmed or (not now.routers and now.current is None)
