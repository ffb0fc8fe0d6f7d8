"""What a planning pass for a Deployment looks at, and what it derives from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl.api.deployment import Deployment, ServedVersion
from pawl.api.rollout_status import RolledBack, RolloutStatus
from pawl.core import shift
from pawl.core.capacity import Capacity
from pawl.core.commands import Commands
from pawl.core.failures import DECAYED, withdrawn
from pawl.core.front import Front, FrontObserved
from pawl.core.measurement import Measurement
from pawl.core.plan import Draft
from pawl.core.recall import Recorded
from pawl.core.routing.state import RouterState
from pawl.core.serving_children import Children, Memory
from pawl.core.versions import Version
from pawl.core.watch import DriftObserved, Tally

Object = Mapping[str, Any]


@dataclass(frozen=True)
class DeploymentObserved:
    """All that is looked at; `measured` is what the versions under comparison did since
    `status.rollout.measuredTo`, `drift` what the stable version saw in the running window, `tally`
    what truth told of it; the ConfigMap `window` keeps both. `retrains` are TrainingJobs of its
    own, `recipe` is what they are copied from. `recorded` is what the store knows of one
    that the cluster does not know; `custom_metrics` says whether there is an API for them, where
    one is needed."""

    object: Object
    versions: tuple[Object, ...] = ()
    servers: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    autoscalers: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    front: FrontObserved = field(default_factory=FrontObserved)
    measured: Measurement | None = None
    drift: DriftObserved | None = None
    tally: Tally | None = None
    window: Object | None = None
    retrains: tuple[Object, ...] = ()
    recipe: Object | None = None
    recorded: Recorded | None = None
    custom_metrics: bool = True


@dataclass
class Work:
    """What one planning pass has in hand."""

    observed: DeploymentObserved
    deployment: Deployment
    children: Children
    front: Front
    memory: Memory
    versions: tuple[Version, ...]
    now: datetime
    uncaptured: str = ""  # why capture is not done as the spec asks for
    draft: Draft = field(default_factory=Draft)

    @property
    def routers(self) -> tuple[RouterState, ...]:
        """Who follows which revision of the route."""
        servers = self.children.by_version.items()
        ready = {v: int(s.get("status", {}).get("readyReplicas", 0)) for v, s in servers}
        return self.front.routers(self.children.route, ready)

    @property
    def meta(self) -> Object:
        """Metadata of the Deployment."""
        return self.observed.object["metadata"]  # type: ignore[no-any-return]

    @property
    def commands(self) -> Commands:
        """What was asked for by annotation."""
        return Commands.of(self.meta.get("annotations") or {})

    @property
    def stable(self) -> ServedVersion | None:
        """What must go on being served: by status, else as remembered, else by the route."""
        known = self.deployment.status.stable or self.memory.stable
        if known is not None:
            return known
        weights = {b.version: b.weight for b in self.children.route.backends if b.weight}
        current = max(weights, key=lambda version: weights[version] or 0, default=None)
        return self.children.served(current) if current is not None else None

    def failures(self, name: str) -> list[RolledBack]:
        """The rollouts of a version that were rolled back."""
        return [entry for entry in self.memory.rolled_back if entry.version == name]

    @property
    def approvals(self) -> dict[str, str]:
        """By the name of the version."""
        return {version.name: version.spec.approval for version in self.versions}

    @property
    def withdrawn(self) -> dict[str, str]:
        """Candidates that are not tried again for now: name -> why."""
        generation = self.meta.get("generation", 0)
        return withdrawn(self.memory.rolled_back, self.versions, generation, self.commands)

    @property
    def decayed(self) -> bool:
        """Whether the stable version must make way for the one before."""
        generation, stable = self.meta.get("generation", 0), self.stable
        return stable is not None and any(
            entry.reason == DECAYED
            and entry.generation == generation
            and not self.commands.retries(entry.version, entry.attempt)
            for entry in self.failures(stable.name)
        )

    def offline(self, state: RolloutStatus) -> float | None:
        """How often the candidate and the version that it is compared with disagreed on rows of
        the past."""
        candidate = next((v for v in self.versions if v.name == state.candidate), None)
        found = candidate.spec.comparison if candidate is not None else None
        stable = self.stable
        if found is None or stable is None or found.digest != stable.digest:
            return None
        return found.disagreement

    def capacity(self, wanted: shift.Wanted) -> Capacity:
        """The pods that it takes."""
        stable = self.stable
        return Capacity(
            self.deployment.spec,
            self.children.by_version,
            stable.version if stable else None,
            wanted,
            self.children.route.weights,
        )

    def situation(self, wanted: shift.Wanted) -> shift.Situation:
        """How far the traffic is from what is wanted."""
        route = self.children.route
        return shift.Situation(
            wanted=wanted,
            weights=route.weights,
            shadow=route.shadow,
            clusters_revision=route.clusters_revision,
            routes_revision=route.routes_revision,
            pods=self.capacity(wanted).pods(),
            routers=self.routers,
        )
