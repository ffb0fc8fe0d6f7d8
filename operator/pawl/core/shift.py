"""Moving traffic between versions without losing a request: a pure one-step function.

`step` looks at what is and says what the routers shall know next. It is called again whenever
something changed; a whole shift is the fold of its steps. The order keeps every request answered:
pods of a version are ready → every router knows them and finds them healthy → the routes give it
weight → every router has those routes → the routes forget who has none any more → no request is
under way there → the routers forget it → its pods go.

Invariants (tests/unit/core/test_shift.py folds and searches for a violation):
* weights sum to 100 once anything is served;
* weight grows, and copies are sent, only where the pods that this needs are ready and healthy at
  every router; what a version cannot take stays with the fallback;
* a version without a healthy pod keeps no weight while another one could answer;
* a version that any router may still send requests to keeps its pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pawl.core.routing.route import Shadow
from pawl.core.routing.state import RouterState

Phase = Literal["Starting", "Warming", "Shifting", "Draining", "Serving"]
#: Version -> weight in per cent; None is known to the routers but not routed.
Weights = Mapping[int, int | None]


@dataclass(frozen=True)
class Pods:
    """Server pods of one version: how many are ready, and how many its share of the traffic needs
    (1 at least)."""

    needed: int
    ready: int

    @property
    def complete(self) -> bool:
        """As many as needed."""
        return self.ready >= max(1, self.needed)


@dataclass(frozen=True)
class Wanted:
    """Where the traffic shall go: weights that sum to 100, and who gets copies. `fallback` gets
    what another version cannot take yet."""

    weights: Mapping[int, int]
    fallback: int
    shadow: Shadow | None = None

    @property
    def versions(self) -> set[int]:
        """All that must have pods."""
        return {*self.weights, *([self.shadow.version] if self.shadow else [])}


@dataclass(frozen=True)
class Situation:
    """What `step` may look at. `weights` and `shadow` are those of the published route, whose
    revisions are given for comparison with what the routers have."""

    wanted: Wanted
    weights: Weights
    shadow: Shadow | None
    clusters_revision: str
    routes_revision: str
    pods: Mapping[int, Pods]
    routers: tuple[RouterState, ...]

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

    @property
    def positive(self) -> dict[int, int]:
        """The published weights above zero."""
        return {version: weight for version, weight in self.weights.items() if weight}

    def waiting(self, version: int) -> int:
        """How many routers do not find all pods of a version healthy that its share needs."""
        needed = max(1, self.pods.get(version, Pods(1, 0)).needed)
        return sum(router.healthy.get(version, 0) < needed for router in self.routers)

    def usable(self, version: int) -> bool:
        """The version may get more traffic than it has."""
        return (
            version in self.weights
            and self.clusters_confirmed
            and self.pods.get(version, Pods(1, 0)).complete
            and not self.waiting(version)
        )

    def dead(self, version: int) -> bool:
        """No router finds a healthy pod of a version that all of them know."""
        return self.clusters_confirmed and not any(
            router.healthy.get(version, 0) for router in self.routers
        )


@dataclass(frozen=True)
class Step:
    """What shall be published next. `confirmed`: every router is known to do what is wanted;
    `removable`: versions whose pods nobody needs any more."""

    weights: Weights
    shadow: Shadow | None
    phase: Phase
    message: str
    confirmed: bool
    removable: frozenset[int]


def step(now: Situation) -> Step:
    """One step. Repeating it without a change of what is observed is harmless."""
    weights = _retired(now)
    for version in now.wanted.versions:
        if version not in weights and now.pods.get(version, Pods(1, 0)).complete:
            weights[version] = None
    for version, weight in _granted(now).items():
        if weight or weights.get(version) is not None:
            weights[version] = weight
    shadow = now.wanted.shadow
    if shadow is not None and not now.usable(shadow.version):
        shadow = now.shadow if now.shadow and now.shadow.version == shadow.version else None
    if shadow is not None and weights.get(shadow.version):
        shadow = None  # who answers users gets no copies: nobody else is left, or not for long
    confirmed = (
        now.routes_confirmed
        and now.positive == {v: w for v, w in now.wanted.weights.items() if w}
        and now.shadow == now.wanted.shadow
    )
    phase, message = _told(now, confirmed)
    removable = frozenset(
        version
        for version in now.pods
        if version not in now.weights
        and version not in now.wanted.versions
        and (now.clusters_confirmed or (not now.routers and not now.positive))
    )
    return Step(weights, shadow, phase, message, confirmed, removable)


def _granted(now: Situation) -> dict[int, int]:
    """Who gets what: as wanted where that is possible now, the rest to the fallback; nothing while
    nobody can serve."""
    granted: dict[int, int] = {}
    for version, weight in now.wanted.weights.items():
        has = now.weights.get(version) or 0
        granted[version] = weight if weight <= has or now.usable(version) else has
    positive = now.positive
    if positive:
        fallback = now.wanted.fallback
        if not positive.get(fallback):
            fallback = max(positive, key=lambda version: positive[version])
        if sum(granted.values()) != 100:
            others = sum(weight for version, weight in granted.items() if version != fallback)
            granted[fallback] = 100 - others
    elif sum(granted.values()) != 100:
        return {}
    for version in positive:
        granted.setdefault(version, 0)
    return _alive(now, granted)


def _alive(now: Situation, granted: dict[int, int]) -> dict[int, int]:
    """Takes the weight of versions without a healthy pod away, if another has one."""
    dead = [version for version, weight in granted.items() if weight and now.dead(version)]
    known = [v for v in granted if now.weights.get(v) is not None and not now.dead(v)]
    if not dead or not known:
        return granted
    wanted = now.wanted.weights
    heir = max(known, key=lambda v: (v == now.wanted.fallback, wanted.get(v, 0), granted[v]))
    for version in dead:
        granted[heir] += granted[version]
        granted[version] = 0
    return granted


def _retired(now: Situation) -> dict[int, int | None]:
    """The published weights without what can be let go: versions that nobody wants pass from 0
    through unrouted to unknown, one confirmed state at a time."""
    weights = dict(now.weights)
    for version, weight in now.weights.items():
        if version in now.wanted.versions or weight or not now.routes_confirmed:
            continue
        if weight == 0:
            weights[version] = None
        elif (now.shadow is None or now.shadow.version != version) and all(
            router.active.get(version, 0) == 0 for router in now.routers
        ):
            del weights[version]
    return weights


def _told(now: Situation, confirmed: bool) -> tuple[Phase, str]:
    moving = [version for version in sorted(now.wanted.versions) if _moves(now, version)]
    for version in moving:
        pods = now.pods.get(version, Pods(1, 0))
        if not pods.complete:
            need = max(1, pods.needed)
            return "Starting", f"{pods.ready} of {need} pods of v{version} are ready"
    return _warming(now, moving) or _moving(now, confirmed)


def _moves(now: Situation, version: int) -> bool:
    """The version is to get more than it has, or copies for the first time."""
    wanted, shadow = now.wanted, now.wanted.shadow
    grows = wanted.weights.get(version, 0) > (now.weights.get(version) or 0)
    return grows or (shadow is not None and shadow.version == version and now.shadow is None)


def _warming(now: Situation, moving: list[int]) -> tuple[Phase, str] | None:
    for version in moving:
        if version not in now.weights:
            return "Warming", f"telling the routers of v{version}"
        if not now.routers:
            return "Warming", "no router is ready"
        if not now.usable(version):
            count = now.waiting(version) or len(now.routers)
            text = f"{count} of {len(now.routers)} routers do not know all pods of v{version}"
            return "Warming", text
    return None


def _moving(now: Situation, confirmed: bool) -> tuple[Phase, str]:
    wanted = now.wanted
    if not confirmed:
        return "Shifting", _lagging(now)
    leaving = sorted((set(now.weights) | set(now.pods)) - wanted.versions)
    if leaving:
        return "Draining", ", ".join(f"v{version}" for version in leaving) + " leaves"
    return "Serving", ", ".join(
        f"v{version} serves" + (f" {weight} %" if weight < 100 else "")
        for version, weight in sorted(wanted.weights.items())
        if weight
    )


def _lagging(now: Situation) -> str:
    if not now.routers:
        return "no router is ready"
    behind = sum(router.routes_revision != now.routes_revision for router in now.routers)
    if behind:
        return f"{behind} of {len(now.routers)} routers do not have the new routes"
    return ", ".join(f"{w} % go to v{v}" for v, w in sorted(now.wanted.weights.items()) if w)
