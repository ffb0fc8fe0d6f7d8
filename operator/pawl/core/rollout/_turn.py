"""What a turn of the rollout looks at, what follows from it, and the work in between."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pawl.api.deployment import ServedVersion
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolledBack, RolloutPhase, RolloutStatus
from pawl.core.commands import Commands
from pawl.core.conditions import parse_timestamp
from pawl.core.plan import Event
from pawl.core.reasons import Reason
from pawl.core.shift import Wanted

_WEIGHT_OF = {"Shadow": 0, "Promoting": 100, "RollingBack": 0}


@dataclass(frozen=True)
class Observation:
    """What `advance` may look at. `state` holds the gates as measured up to now.

    `confirmed`: every router does what was wanted last. `broken` says why the candidate is beyond
    any statistics (it answers nothing but errors, no pod of it is left), or is empty.
    """

    spec: RolloutSpec | None
    stable: ServedVersion | None
    target: ServedVersion
    state: RolloutStatus | None
    confirmed: bool
    now: datetime
    uid: str = ""
    generation: int = 0
    approval: str = ""
    attempt: int = 1
    broken: str = ""
    commands: Commands = field(default_factory=Commands)


@dataclass(frozen=True)
class Turn:
    """What follows. `promoted` is the version that has become the stable one; `rolled_back` what
    has to be remembered of a candidate that failed; `returned_to` the version that has all
    requests again after that."""

    wanted: Wanted
    state: RolloutStatus | None = None
    promoted: ServedVersion | None = None
    rolled_back: RolledBack | None = None
    returned_to: int | None = None
    events: tuple[Event, ...] = ()
    message: str = ""


@dataclass
class Work:
    """One call of `advance`."""

    seen: Observation
    spec: RolloutSpec
    stable: ServedVersion
    state: RolloutStatus
    events: list[Event] = field(default_factory=list)
    rolled_back: RolledBack | None = None
    promoted: ServedVersion | None = None
    done: bool = False

    def change(self, **changes: Any) -> None:
        self.state = self.state.model_copy(update=changes)

    def tell(self, reason: Reason, message: str, *, warning: bool = False) -> None:
        self.events.append(Event(reason, message, "Warning" if warning else "Normal"))

    @property
    def name(self) -> str:
        return self.state.candidate

    def elapsed(self) -> float:
        """Seconds of this step so far, pauses aside."""
        since = self.state.step_started_at
        return (self.seen.now - parse_timestamp(since)).total_seconds() if since else 0.0


def enter(work: Work, phase: RolloutPhase, step: int = 0) -> None:
    """Begins a stage or a step; its clock starts when the routers have it."""
    if phase in ("Shadow", "Canary") and phase != work.state.phase:
        work.change(stage_started_at=None)
    work.change(phase=phase, step=step, step_started_at=None, step_samples=0, warning="")
    goal = "all requests" if phase == "Promoting" else where(work)
    work.change(message=f"bringing {work.name} to {goal}")
    if phase in ("Shadow", "Canary", "Promoting"):
        work.tell("RolloutAdvanced", f"{work.name}: {where(work)}")


def weight(work: Work) -> int:
    """The candidate's share of the traffic in this phase, in per cent."""
    state, canary = work.state, work.spec.canary
    if state.phase == "Canary" and canary:
        return canary.steps[min(state.step, len(canary.steps) - 1)].weight
    if state.phase == "Holdback" and work.spec.holdback:
        return 100 - work.spec.holdback.weight
    return _WEIGHT_OF.get(state.phase, 0)


def where(work: Work) -> str:
    """The phase in words."""
    state = work.state
    if state.phase == "Canary":
        return f"canary {weight(work)} % (step {state.step + 1} of {steps(work.spec)})"
    return state.phase.lower()


def steps(spec: RolloutSpec) -> int:
    """How many steps the canary has."""
    return len(spec.canary.steps) if spec.canary else 0


def salt(uid: str, state: RolloutStatus) -> str:
    """Names one rollout, so that each draws its users anew."""
    text = f"{uid}/{state.candidate}/{state.attempt}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
