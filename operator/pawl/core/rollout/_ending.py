"""How a rollout ends: promotion with or without holdback, or back."""

from __future__ import annotations

from pawl.api.duration import seconds, words
from pawl.api.rollout_status import RolledBack
from pawl.core.conditions import timestamp
from pawl.core.reasons import Reason
from pawl.core.rollout._turn import Work


def promoting(work: Work) -> None:
    """All traffic goes to the candidate; once every router does that, it is the stable version."""
    if not work.seen.confirmed:
        work.change(message=f"bringing all requests to {work.name}")
        return
    work.promoted = work.seen.target
    if work.spec.holdback is None:
        work.done = True
        return
    work.change(phase="Holdback", step_started_at=timestamp(work.seen.now), warning="")


def holdback(work: Work) -> None:
    """The old version keeps a little traffic, and a late Fail still rolls back."""
    holdback = work.spec.holdback
    left = seconds(holdback.duration) - work.elapsed() if holdback else 0
    if left <= 0:
        work.tell("HoldbackEnded", f"{work.name} gets all requests")
        work.done = True
    else:
        work.change(message=f"v{work.state.reference} keeps a part for {words(left)}")


def roll_back(work: Work, reason: Reason, text: str) -> None:
    """Takes the candidate's traffic away, and remembers not to try it again."""
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


def rolling_back(work: Work) -> None:
    """Done once no router sends it anything."""
    if work.seen.confirmed:
        work.tell("RolledBack", f"{work.name} gets no requests any more: {work.state.message}")
        work.done = True
