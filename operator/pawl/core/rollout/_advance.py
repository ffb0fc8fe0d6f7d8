"""One turn: which rollout is under way, what stops it, what its phase does."""

from __future__ import annotations

from pawl.api.deployment import ServedVersion
from pawl.api.names import version_number
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutStatus
from pawl.core.conditions import timestamp
from pawl.core.plan import Event
from pawl.core.rollout._compare import compare, paused
from pawl.core.rollout._ending import holdback, promoting, roll_back, rolling_back
from pawl.core.rollout._turn import Observation, Turn, Work, weight, where
from pawl.core.routing.route import Shadow
from pawl.core.shift import Wanted


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
    work = Work(seen, seen.spec or _NOTHING, stable, state, events)
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


def _step(work: Work) -> None:
    """Dispatches on the phase; what stops a candidate comes first."""
    state, seen = work.state, work.seen
    if state.phase == "RollingBack":
        rolling_back(work)
        return
    failed = next((g for g in state.gates if g.required and g.verdict == "Fail"), None)
    if seen.broken:
        roll_back(work, "CandidateBroken", seen.broken)
    elif failed is not None:
        roll_back(work, "GateFailed", f"{failed.metric} failed: {failed.message}")
    elif seen.commands.aborts(state.candidate, state.attempt):
        roll_back(work, "Aborted", "aborted by command")
    elif paused(work):
        work.change(message=f"paused in {where(work)}")
    elif state.phase == "Promoting":
        promoting(work)
    elif state.phase == "Holdback":
        holdback(work)
    else:
        compare(work)


def _wanted(work: Work) -> Wanted:
    state, spec = work.state, work.spec
    reference, candidate = state.reference, version_number(state.candidate)
    if work.done:
        keeps = reference if state.phase == "RollingBack" else candidate
        return Wanted({keeps: 100}, keeps)
    share = weight(work)
    work.change(weight=share)
    # After promotion the candidate is who can carry what the other one cannot.
    fallback = reference if work.stable.version == reference else candidate
    shadow = None
    if state.phase == "Shadow" and spec.shadow:
        shadow = Shadow(candidate, spec.shadow.percent)
    shares = {reference: 100 - share, candidate: share}
    return Wanted({v: part for v, part in shares.items() if part}, fallback, shadow)
