"""The gates of a rollout: from counts of one interval to verdicts.

`fold` takes one measurement into the state of a rollout. Evidence multiplies from interval to
interval and is never restarted at a step; with the same state and measurement the same comes out.
"""

from pawl.core.gates.definition import Definition, definitions
from pawl.core.gates.fold import broken, fold, of_version

__all__ = ["Definition", "broken", "definitions", "fold", "of_version"]
