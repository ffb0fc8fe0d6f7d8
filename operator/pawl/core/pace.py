"""When a Deployment is looked at again.

What happens to it or to its children wakes it anyway. Its own status does not: what routers and
servers know is asked for, and that is asked again when there is something new to be heard.
"""

from __future__ import annotations

from datetime import datetime

from pawl.api.deployment import DeploymentStatus
from pawl.api.rollout_status import RolloutStatus
from pawl.core.measurement import due
from pawl.core.shift import Step

#: Seconds between two looks, while nothing is under way.
WATCH = 60.0
_MOVING = 1.0  # while traffic moves
_SOONEST, _LATEST = 0.2, 2.0  # while versions are compared


def pause(step: Step, state: RolloutStatus | None, now: datetime) -> float:
    """Seconds until the next look, if nothing happens until then."""
    if state is None:
        return WATCH if step.phase == "Serving" else _MOVING
    wait = due(state, now.timestamp()) if step.confirmed else None
    return min(max(wait, _SOONEST), _LATEST) if wait else _MOVING


def stands(status: DeploymentStatus) -> object:
    """What has come of things, without what is measured every few seconds: when that has changed,
    more may follow at once."""
    state = status.rollout
    step = state and (state.candidate, state.attempt, state.phase, state.step, state.paused_at)
    since = state and (state.step_started_at, state.weight)
    served = status.stable, status.candidate, status.traffic, status.rolled_back
    return status.phase, served, step, since
