"""How a candidate gets to be the stable version, or not: a pure one-step function.

    Idle → Shadow → Canary (step i) → Promoting → (Holdback →) Idle,   and from anywhere RollingBack

`advance` looks at what is (spec, status, gates, what the routers follow) and says what is wanted
of the traffic now, what to remember, and what happened. `core.shift` brings the traffic there.

Invariants (tests/unit/core/test_rollout.py folds and searches for a violation):
* a candidate has weight only after its shadow passed, and never more than the step says;
* it is promoted only when every required gate has passed, or the spec accepts it unproven;
* a required gate that fails, or a candidate that fails everything, takes its traffic away at once,
  paused or not; it is not tried again until spec or approval change, or somebody says so;
* a newer candidate, or a change of what is wanted, ends a rollout without a trace.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pawl.api.deployment import ServedVersion
from pawl.api.duration import seconds, words
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolledBack, RolloutPhase, RolloutStatus
from pawl.core.commands import Commands
from pawl.core.conditions import parse_timestamp, timestamp
from pawl.core.plan import Event
from pawl.core.routing.route import Shadow
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
class _Work:
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

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.append(Event(reason, message, "Warning" if warning else "Normal"))

    @property
    def name(self) -> str:
        return self.state.candidate

    def elapsed(self) -> float:
        """Seconds of this step so far, pauses aside."""
        since = self.state.step_started_at
        return (self.seen.now - parse_timestamp(since)).total_seconds() if since else 0.0


def advance(seen: Observation) -> Turn:
    """One step. Repeating it without a change of what is observed changes nothing."""
    events: list[Event] = []
    state, target, stable = seen.state, seen.target, seen.stable
    if stable is None:
        return _directly(seen, target.version)
    if state is not None and state.phase != "RollingBack" and not _of(state, target):
        if state.phase != "Holdback" or state.candidate != stable.name:
            text = f"the rollout of {state.candidate} ends: {target.name} is wanted"
            events.append(Event("Superseded", text))
        state = None
    if state is None:
        if target.version == stable.version and target.digest == stable.digest:
            wanted = Wanted({stable.version: 100}, stable.version)
            return Turn(wanted, events=tuple(events))
        if seen.spec is None or target.version <= stable.version:
            return _directly(seen, stable.version, tuple(events))
        state = _begun(seen, seen.spec, stable)
        text = f"{target.name} is compared with {stable.name}: {state.phase.lower()}"
        events.append(Event("RolloutStarted", text))
    elif seen.spec is None:
        if state.phase not in ("RollingBack", "Holdback"):
            return _directly(seen, state.reference, tuple(events))
        if state.phase == "Holdback":
            return Turn(Wanted({stable.version: 100}, stable.version), events=tuple(events))
    work = _Work(seen, seen.spec or _NOTHING, stable, state, events)
    _step(work)
    return Turn(
        wanted=_wanted(work),
        state=None if work.done else work.state,
        promoted=work.promoted,
        rolled_back=work.rolled_back,
        returned_to=state.reference if work.done and state.phase == "RollingBack" else None,
        events=tuple(work.events),
        message=work.state.message,
    )


#: For a rollback whose spec is gone: no stage is looked at any more.
_NOTHING = RolloutSpec.model_construct(shadow=None, canary=None)


def _of(state: RolloutStatus, target: ServedVersion) -> bool:
    return state.candidate == target.name and state.digest == target.digest


def _directly(seen: Observation, fallback: int, events: tuple[Event, ...] = ()) -> Turn:
    """Without a comparison: the first version, a pin of an older one, or no rollout spec."""
    target = seen.target
    wanted = Wanted({target.version: 100}, fallback)
    return Turn(wanted, promoted=target if seen.confirmed else None, events=events)


def _begun(seen: Observation, spec: RolloutSpec, stable: ServedVersion) -> RolloutStatus:
    return RolloutStatus(
        phase="Shadow" if spec.shadow else "Canary",
        candidate=seen.target.name,
        digest=seen.target.digest,
        attempt=seen.attempt,
        reference=stable.version,
        started_at=timestamp(seen.now),
    )


def _step(work: _Work) -> None:
    """Dispatches on the phase; what stops a candidate comes first."""
    state, seen = work.state, work.seen
    if state.phase == "RollingBack":
        _rolling_back(work)
        return
    failed = next((g for g in state.gates if g.required and g.verdict == "Fail"), None)
    if seen.broken:
        _roll_back(work, "CandidateBroken", seen.broken)
    elif failed is not None:
        _roll_back(work, "GateFailed", f"{failed.metric} failed: {failed.message}")
    elif seen.commands.aborts(state.candidate, state.attempt):
        _roll_back(work, "Aborted", "aborted by command")
    elif _paused(work):
        work.change(message=f"paused in {_where(work)}")
    elif state.phase == "Promoting":
        _promoting(work)
    elif state.phase == "Holdback":
        _holdback(work)
    else:
        _compare(work)


def _paused(work: _Work) -> bool:
    """Keeps the clocks still while paused."""
    state, now = work.state, work.seen.now
    if state.phase in ("Promoting", "Holdback"):
        return False
    if work.spec.paused or work.seen.commands.pauses(state.candidate, state.attempt):
        if state.paused_at is None:
            work.change(paused_at=timestamp(now))
            work.tell("Paused", f"the rollout of {work.name} is paused in {_where(work)}")
        return True
    if state.paused_at is not None:
        pause = now - parse_timestamp(state.paused_at)
        work.change(
            paused_at=None,
            started_at=_later(state.started_at, pause),
            step_started_at=_later(state.step_started_at, pause) if state.step_started_at else None,
        )
        work.tell("Resumed", f"the rollout of {work.name} goes on in {_where(work)}")
    return False


def _later(moment: str, pause: timedelta) -> str:
    return timestamp(parse_timestamp(moment) + pause)


def _compare(work: _Work) -> None:
    """Shadow and canary: wait for the time, the samples and the gates of the stage."""
    _fit(work)
    state, spec = work.state, work.spec
    if state.step_started_at is None:
        if not work.seen.confirmed:
            if not _past_deadline(work):
                work.change(message=f"bringing {work.name} to {_where(work)}")
            return
        work.change(step_started_at=timestamp(work.seen.now), step_samples=0)
    waits = _waits(work)
    if waits and _past_deadline(work):
        return
    last = state.phase == "Canary" and state.step + 1 >= _steps(spec)
    if waits and not _promoted_unproven(work):
        work.change(message=f"{_where(work)}: {'; '.join(waits)}")
    elif state.phase == "Shadow" and spec.canary:
        _enter(work, "Canary")
    elif state.phase == "Canary" and not last:
        _enter(work, "Canary", state.step + 1)
    elif _must_be_told(work):
        if state.warning != _AWAITS:
            work.tell("AwaitingPromotion", f"all gates of {work.name} have passed")
        work.change(message=f"{_where(work)}: {_AWAITS}", warning=_AWAITS)
    else:
        _enter(work, "Promoting")


_AWAITS = "waits for `pawl promote`"


def _must_be_told(work: _Work) -> bool:
    state = work.state
    manual = work.spec.promotion == "Manual"
    return manual and not work.seen.commands.promotes(state.candidate, state.attempt)


def _promoted_unproven(work: _Work) -> bool:
    """A command may cut a rollout short only where the spec accepts an unproven version."""
    state = work.state
    if not work.seen.commands.promotes(state.candidate, state.attempt):
        return False
    if work.spec.decision.accept_unproven:
        _enter(work, "Promoting")
        work.tell("PromotedUnproven", f"{work.name} is promoted by command", warning=True)
        return True
    text = "pawl promote waits until all gates have passed (decision.acceptUnproven is not set)"
    if state.warning != text:
        work.tell("PromotionRefused", text, warning=True)
        work.change(warning=text)
    return False


def _fit(work: _Work) -> None:
    """After an edit of the spec: a stage or a step that is gone gives way to the nearest."""
    state, spec = work.state, work.spec
    if state.phase == "Shadow" and spec.shadow is None:
        _enter(work, "Canary")
    elif state.phase == "Canary" and spec.canary is None:
        _enter(work, "Shadow")
    elif state.phase == "Canary" and state.step >= _steps(spec):
        _enter(work, "Canary", _steps(spec) - 1)


def _steps(spec: RolloutSpec) -> int:
    return len(spec.canary.steps) if spec.canary else 0


def _waits(work: _Work) -> list[str]:
    """What this step still waits for, in words."""
    spec, state = work.spec, work.state
    shadow = state.phase == "Shadow"
    if shadow:
        duration = spec.shadow.duration if spec.shadow else "0s"
    else:
        duration = spec.canary.steps[state.step].duration if spec.canary else "0s"
    waits = []
    left = seconds(duration) - work.elapsed()
    if left > 0:
        waits.append(f"{words(left)} to go")
    if state.step_samples < spec.decision.min_samples:
        unit = "pairs" if shadow else "requests"
        waits.append(f"{state.step_samples} of {spec.decision.min_samples} {unit}")
    last = shadow or state.step + 1 >= _steps(spec)
    for gate in state.gates:
        if not gate.required or gate.stage != state.phase.lower():
            continue
        if gate.verdict == "Error":
            waits.append(f"{gate.metric}: {gate.message}")
        elif gate.verdict != "Pass" and last:
            waits.append(f"{gate.metric} is undecided")
    return waits


def _past_deadline(work: _Work) -> bool:
    """Past the deadline without a decision. True when that ends the comparison."""
    spec, state = work.spec, work.state
    length = seconds(spec.decision.deadline)
    if (work.seen.now - parse_timestamp(state.started_at)).total_seconds() < length:
        return False
    undecided = [g.metric for g in state.gates if g.required and g.verdict != "Pass"]
    text = f"no decision within {spec.decision.deadline}: " + (
        f"{', '.join(undecided)} undecided" if undecided else "too few requests"
    )
    if spec.decision.on_inconclusive == "Rollback":
        _roll_back(work, "Inconclusive", text)
        return True
    if spec.decision.on_inconclusive == "Promote" and spec.decision.accept_unproven:
        work.tell("PromotedUnproven", text, warning=True)
        _enter(work, "Promoting")
        return True
    if state.warning != text:
        work.tell("Inconclusive", f"{text}; {work.name} keeps its weight", warning=True)
        work.change(warning=text)
    return False


def _promoting(work: _Work) -> None:
    """All traffic goes to the candidate; once every router does that, it is the stable version."""
    if not work.seen.confirmed:
        work.change(message=f"bringing all requests to {work.name}")
        return
    work.promoted = work.seen.target
    if work.spec.holdback is None:
        work.done = True
        return
    work.change(phase="Holdback", step_started_at=timestamp(work.seen.now), warning="")


def _holdback(work: _Work) -> None:
    holdback = work.spec.holdback
    left = seconds(holdback.duration) - work.elapsed() if holdback else 0
    if left <= 0:
        work.tell("HoldbackEnded", f"{work.name} gets all requests")
        work.done = True
    else:
        work.change(message=f"v{work.state.reference} keeps a part for {words(left)}")


def _roll_back(work: _Work, reason: str, text: str) -> None:
    state, seen = work.state, work.seen
    text = text[:500]
    work.rolled_back = RolledBack(
        version=state.candidate,
        digest=state.digest,
        attempt=state.attempt,
        generation=seen.generation,
        approval=seen.approval,
        at=timestamp(seen.now),
        reason=reason,
        message=text,
    )
    work.tell(reason, f"{state.candidate} is rolled back: {text}", warning=True)
    work.change(phase="RollingBack", weight=0, message=text, step_started_at=None, paused_at=None)


def _rolling_back(work: _Work) -> None:
    if work.seen.confirmed:
        work.tell("RolledBack", f"{work.name} gets no requests any more: {work.state.message}")
        work.done = True


def _enter(work: _Work, phase: RolloutPhase, step: int = 0) -> None:
    """Begins a stage or a step; its clock starts when the routers have it."""
    work.change(phase=phase, step=step, step_started_at=None, step_samples=0, warning="")
    work.change(message=f"bringing {work.name} to {_where(work)}")
    if phase in ("Shadow", "Canary"):
        work.tell("RolloutAdvanced", f"{work.name}: {_where(work)}")


def _weight(work: _Work) -> int:
    state, canary = work.state, work.spec.canary
    if state.phase == "Canary" and canary:
        return canary.steps[min(state.step, len(canary.steps) - 1)].weight
    if state.phase == "Holdback" and work.spec.holdback:
        return 100 - work.spec.holdback.weight
    return _WEIGHT_OF.get(state.phase, 0)


def _where(work: _Work) -> str:
    state = work.state
    if state.phase == "Canary":
        return f"canary {_weight(work)} % (step {state.step + 1} of {_steps(work.spec)})"
    return state.phase.lower()


def _wanted(work: _Work) -> Wanted:
    state, spec = work.state, work.spec
    reference, candidate = state.reference, _number(state.candidate)
    if work.done:
        keeps = reference if state.phase == "RollingBack" else candidate
        return Wanted({keeps: 100}, keeps)
    weight = _weight(work)
    work.change(weight=weight)
    # After promotion the candidate is who can carry what the other one cannot.
    fallback = reference if work.stable.version == reference else candidate
    shadow = None
    if state.phase == "Shadow" and spec.shadow:
        shadow = Shadow(candidate, spec.shadow.percent)
    shares = {reference: 100 - weight, candidate: weight}
    return Wanted({version: share for version, share in shares.items() if share}, fallback, shadow)


def _number(name: str) -> int:
    return int(name.rpartition("-v")[2])


def salt(uid: str, state: RolloutStatus) -> str:
    """Names one rollout, so that each draws its users anew."""
    text = f"{uid}/{state.candidate}/{state.attempt}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
