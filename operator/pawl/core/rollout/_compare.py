"""Shadow and canary: what a stage waits for, and what happens when it comes or never does."""

from __future__ import annotations

from datetime import timedelta

from pawl.api.duration import seconds, words
from pawl.core.conditions import parse_timestamp, timestamp
from pawl.core.rollout._ending import roll_back
from pawl.core.rollout._turn import Work, enter, steps, where


def paused(work: Work) -> bool:
    """Keeps the clocks still while paused."""
    state, now = work.state, work.seen.now
    if state.phase in ("Promoting", "Holdback"):
        return False
    if work.spec.paused or work.seen.commands.pauses(state.candidate, state.attempt):
        if state.paused_at is None:
            work.change(paused_at=timestamp(now))
            work.tell("Paused", f"the rollout of {work.name} is paused in {where(work)}")
        return True
    if state.paused_at is not None:
        pause = now - parse_timestamp(state.paused_at)
        work.change(
            paused_at=None,
            started_at=_later(state.started_at, pause),
            step_started_at=_later(state.step_started_at, pause) if state.step_started_at else None,
        )
        work.tell("Resumed", f"the rollout of {work.name} goes on in {where(work)}")
    return False


def _later(moment: str, pause: timedelta) -> str:
    return timestamp(parse_timestamp(moment) + pause)


def compare(work: Work) -> None:
    """Shadow and canary: wait for the time, the samples and the gates of the stage."""
    _fit(work)
    state, spec = work.state, work.spec
    if state.step_started_at is None:
        if not work.seen.confirmed:
            if not _past_deadline(work):
                work.change(message=f"bringing {work.name} to {where(work)}")
            return
        now = timestamp(work.seen.now)
        stage = state.stage_started_at or now
        work.change(step_started_at=now, stage_started_at=stage, step_samples=0)
    waits = _waits(work)
    if waits and _past_deadline(work):
        return
    last = state.phase == "Canary" and state.step + 1 >= steps(spec)
    if waits and not _promoted_unproven(work):
        work.change(message=f"{where(work)}: {'; '.join(waits)}"[:500])
    elif state.phase == "Shadow" and spec.canary:
        enter(work, "Canary")
    elif state.phase == "Canary" and not last:
        enter(work, "Canary", state.step + 1)
    elif _must_be_told(work):
        if state.warning != AWAITS:
            work.tell("AwaitingPromotion", f"all gates of {work.name} have passed")
        work.change(message=f"{where(work)}: {AWAITS}", warning=AWAITS)
    else:
        enter(work, "Promoting")


AWAITS = "waits for `pawl promote`"


def _must_be_told(work: Work) -> bool:
    state = work.state
    manual = work.spec.promotion == "Manual"
    return manual and not work.seen.commands.promotes(state.candidate, state.attempt)


def _promoted_unproven(work: Work) -> bool:
    """A command may cut a rollout short only where the spec accepts an unproven version."""
    state = work.state
    if not work.seen.commands.promotes(state.candidate, state.attempt):
        return False
    if work.spec.decision.accept_unproven:
        enter(work, "Promoting")
        work.tell("PromotedUnproven", f"{work.name} is promoted by command", warning=True)
        return True
    text = "pawl promote waits until all gates have passed (decision.acceptUnproven is not set)"
    if state.warning != text:
        work.tell("PromotionRefused", text, warning=True)
        work.change(warning=text)
    return False


def _fit(work: Work) -> None:
    """After an edit of the spec: a stage or a step that is gone gives way to the nearest."""
    state, spec = work.state, work.spec
    if state.phase == "Shadow" and spec.shadow is None:
        enter(work, "Canary")
    elif state.phase == "Canary" and spec.canary is None:
        enter(work, "Shadow")
    elif state.phase == "Canary" and state.step >= steps(spec):
        enter(work, "Canary", steps(spec) - 1)


def _waits(work: Work) -> list[str]:
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
    last = shadow or state.step + 1 >= steps(spec)
    for gate in state.gates:
        if not gate.required or gate.stage != state.phase.lower():
            continue
        if gate.verdict == "Error":
            waits.append(f"{gate.metric}: {gate.message}")
        elif gate.verdict != "Pass" and last:
            waits.append(f"{gate.metric} is undecided")
    return waits


def _past_deadline(work: Work) -> bool:
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
        roll_back(work, "Inconclusive", text)
        return True
    if spec.decision.on_inconclusive == "Promote" and spec.decision.accept_unproven:
        work.tell("PromotedUnproven", text, warning=True)
        enter(work, "Promoting")
        return True
    if state.warning != text:
        work.tell("Inconclusive", f"{text}; {work.name} keeps its weight", warning=True)
        work.change(warning=text)
    return False
