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

from pawl.core.rollout._advance import advance
from pawl.core.rollout._compare import AWAITS
from pawl.core.rollout._turn import Observation, Turn, salt

__all__ = ["AWAITS", "Observation", "Turn", "advance", "salt"]
