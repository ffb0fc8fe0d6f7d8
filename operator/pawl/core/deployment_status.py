"""What a Deployment's status says, and what is told of it as events and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.deployment import (
    Deployment,
    DeploymentStatus,
    HistoryEntry,
    ServedVersion,
    Traffic,
)
from pawl.api.names import version_name
from pawl.api.rollout_status import RolledBack, RolloutStatus
from pawl.core import audit, rollout, run_status, shift
from pawl.core.conditions import Conditions, timestamp
from pawl.core.installation import Installation
from pawl.core.plan import Draft, Event, RecordDecision
from pawl.core.reasons import Reason
from pawl.core.routing.route import Route
from pawl.core.serving_children import Memory
from pawl.core.target import Target

Object = Mapping[str, Any]
_HISTORY = 10


@dataclass(frozen=True)
class Outcome:
    """What a planning pass came to. `stable` is the version that has become or stays the stable
    one, `pods` the server pods by version, `routers` how many are ready."""

    target: Target
    wanted: ServedVersion
    stable: ServedVersion | None
    turn: rollout.Turn
    step: shift.Step
    route: Route
    pods: Mapping[int, shift.Pods]
    routers: int
    memory: Memory


@dataclass
class Report:
    """Gathers the status of one planning pass."""

    item: Object
    deployment: Deployment
    conditions: Conditions
    pods: tuple[Object, ...]
    now: datetime
    draft: Draft
    values: dict[str, Any] = field(default_factory=dict)

    def status(self, url: str | None, routing: str) -> DeploymentStatus:
        """All of it."""
        values = dict(self.deployment.status) | {
            "observed_generation": self.item["metadata"].get("generation", 0),
            "url": url,
            "routing": routing,
        }
        return DeploymentStatus(**values | self.values | {"conditions": self.conditions.all()})

    def waiting(self, target: Target) -> None:
        """There is nothing to serve."""
        self.values |= {"phase": "Stalled" if target.stalled else "Waiting"}
        if not target.stalled and self.deployment.status.phase != "Waiting" and target.reason:
            self.draft.events.append(Event(target.reason, target.message))
        self.conditions.set("Available", False, target.reason, target.message)
        self._judge(target, ready=False, reason=target.reason, message=target.message)

    def serving(self, outcome: Outcome) -> None:
        """A version is served, or on its way."""
        told, stable, turn = self.deployment.status.stable, outcome.stable, outcome.turn
        wanted, step, state = outcome.wanted, outcome.step, outcome.turn.state
        self.draft.events += turn.events
        remembered = outcome.memory.stable
        if stable is not None and remembered is not None and _same(remembered, stable):
            stable = remembered
        elif stable is not None:
            stable = stable.model_copy(update={"since": timestamp(self.now)})
            self._became_stable(told, stable, turn, outcome.memory)
        if turn.returned_to is not None and outcome.memory.rolled_back:
            self._withdrawn(outcome.memory.rolled_back[0])
        pods = outcome.pods.get((stable or wanted).version, shift.Pods(0, 0))
        reason = state.phase if state else step.phase
        self.values |= {
            "stable": stable,
            "candidate": wanted if stable is None or stable.name != wanted.name else None,
            "phase": "Stalled" if outcome.target.stalled else reason,
            "replicas": pods.needed,
            "ready_replicas": pods.ready,
            "rollout": state,
            "rolled_back": outcome.memory.rolled_back,
        }
        if step.confirmed:
            self.values["traffic"] = self._traffic(outcome.route, stable, turn)
        self._started(wanted, state)
        available = stable is not None and pods.ready > 0 and outcome.routers > 0
        message = self._message(outcome)
        self.conditions.set("Available", available, "Serving" if available else reason, message)
        self._blocked(turn)
        self._judge(outcome.target, ready=available, reason=reason, message=message)

    def _started(self, wanted: ServedVersion, state: RolloutStatus | None) -> None:
        """A version that replaces another one, or is the first, without being compared."""
        candidate, before = self.values["candidate"], self.deployment.status.candidate
        if (
            candidate is not None
            and state is None
            and (before is None or before.name != wanted.name)
        ):
            self.draft.events.append(Event("Starting", f"{wanted.name} is being started"))

    def _message(self, outcome: Outcome) -> str:
        turn, step, target = outcome.turn, outcome.step, outcome.target
        parts = [turn.message] if turn.message else []
        if not parts or step.phase not in ("Serving", "Draining"):
            parts.append(step.message + self._trouble(outcome))
        if turn.state is not None and turn.state.warning:
            parts.append(turn.state.warning)
        if not target.stalled and target.message:
            parts.append(target.message)
        return "; ".join(parts)

    def _blocked(self, turn: rollout.Turn) -> None:
        """A rollout that cannot come to a decision says so by a condition of its own."""
        if turn.state is None:
            self.conditions.drop("RolloutBlocked")
        else:
            warning = turn.state.warning
            reason = "Undecided" if warning else "Proceeding"
            reason = "AwaitingPromotion" if warning == rollout.AWAITS else reason
            self.conditions.set("RolloutBlocked", bool(warning), reason, warning)

    def _judge(self, target: Target, *, ready: bool, reason: str, message: str) -> None:
        """Ready, Reconciling, Stalled; an event when it stalls for a new reason."""
        if not target.stalled:
            self.conditions.accept(ready=ready, reason=reason, message=message)
            return
        status = self.deployment.status
        before = next((x for x in status.conditions if x.type == "Stalled"), None)
        if target.reason and (before is None or before.reason != target.reason):
            self.draft.events.append(Event(target.reason, target.message, "Warning"))
        self.conditions.stall(target.reason, target.message)

    def _became_stable(
        self,
        before: ServedVersion | None,
        stable: ServedVersion,
        turn: rollout.Turn,
        memory: Memory,
    ) -> None:
        """History, event, decision record."""
        back = before is not None and stable.version < before.version
        latest = self.deployment.spec.version == "latest"
        reason: Reason = "RolledBack" if back else ("Promoted" if latest else "Pinned")
        message = f"{stable.name} gets all requests"
        if turn.state is not None and turn.state.phase == "Holdback":
            message = f"{stable.name} is promoted; {before.name if before else ''} is held back"
        elif before is not None:
            message += f" instead of {before.name}"
        left = before.name if before else None
        failed = next((entry for entry in memory.rolled_back[:1] if entry.version == left), None)
        self._decided(
            stable.name,
            stable.digest,
            reason,
            replaced=left,
            served=_dump(stable),
            **({"rolledBack": _dump(failed)} if failed else {}),
        )
        self.draft.events.append(Event(reason, message))

    def _withdrawn(self, entry: RolledBack) -> None:
        told = {"message": entry.message, "rolledBack": _dump(entry)}
        self._decided(entry.version, entry.digest, entry.reason, **told)

    def requested(self, installation: Installation) -> None:
        """Who asked for what, once for each command."""
        found = audit.asked(self.item, trusted=installation.trust_requested_by, now=self.now)
        told, model = self.deployment.status.requests, self.deployment.spec.model
        self.values["requests"] = audit.record(self.draft, self.item, model, found, told)

    def _decided(self, version: str, digest: str, reason: str, **more: Any) -> None:
        meta, at = self.item["metadata"], timestamp(self.now)
        entry = HistoryEntry(version=version, at=at, reason=reason)
        history = self.values.get("history", self.deployment.status.history)
        self.values["history"] = (entry, *history)[:_HISTORY]
        content = {
            "deployment": meta["name"],
            "version": version,
            "digest": digest,
            "reason": reason,
            "at": at,
            **more,
        }
        name = f"{at}-{meta['name']}-{version}-{reason}"
        model = self.deployment.spec.model
        self.draft.actions.append(RecordDecision(meta["namespace"], model, name, content))

    def _traffic(
        self, route: Route, stable: ServedVersion | None, turn: rollout.Turn
    ) -> tuple[Traffic, ...]:
        name = self.deployment.spec.model
        holdback = turn.state is not None and turn.state.phase == "Holdback"
        other = "holdback" if holdback else "candidate"
        found = [
            Traffic(
                version=version_name(name, version),
                role="stable" if stable is not None and version == stable.version else other,
                weight=weight,
            )
            for version, weight in sorted(route.weights.items())
            if weight
        ]
        if route.shadow is not None:
            copy = version_name(name, route.shadow.version)
            found.append(Traffic(version=copy, role="shadow", weight=0))
        return tuple(found)

    def _trouble(self, outcome: Outcome) -> str:
        """Why pods that the phase waits for do not get ready, in their own words."""
        if outcome.step.phase == "Starting":
            pods = self._labelled(c.LABEL_VERSION, str(outcome.wanted.version))
        elif not outcome.routers:
            pods = self._labelled(c.LABEL_ROLE, c.ROLE_ROUTER)
        else:
            return ""
        blocked = run_status.blocked(pods)
        words = blocked.message if blocked is not None else run_status.last_words(pods)
        return f": {words}" if words else ""

    def _labelled(self, label: str, value: str) -> list[Object]:
        return [pod for pod in self.pods if pod["metadata"]["labels"].get(label) == value]


def _dump(record: ServedVersion | RolledBack) -> dict[str, Any]:
    return record.model_dump(by_alias=True, exclude_none=True, mode="json")


def _same(one: ServedVersion, other: ServedVersion) -> bool:
    """Two versions may have the same bytes."""
    return (one.name, one.digest) == (other.name, other.digest)
