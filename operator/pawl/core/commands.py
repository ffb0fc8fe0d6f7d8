"""Commands: annotations on a Deployment that name what they mean.

`pawl.dev/promote: churn-v8` is about the first rollout of churn-v8, `churn-v8#2` about the second,
so a command that was left behind never acts on a later attempt. Pawl only reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pawl.constants import GROUP

PROMOTE = f"{GROUP}/promote"
ABORT = f"{GROUP}/abort"
PAUSE = f"{GROUP}/pause"
RETRY = f"{GROUP}/retry"
RESET = f"{GROUP}/reset-breaker"
ALL = (PROMOTE, ABORT, PAUSE, RETRY, RESET)


def reference(version: str, attempt: int) -> str:
    """How a command names a rollout."""
    return version if attempt == 1 else f"{version}#{attempt}"


@dataclass(frozen=True)
class Commands:
    """The values of the annotations."""

    promote: str = ""
    abort: str = ""
    pause: str = ""
    retry: str = ""
    #: The TrainingJob up to which the breaker of retraining forgets.
    reset: str = ""

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Commands:
        """Those of one object."""
        return cls(*(annotations.get(name, "") for name in ALL))

    def promotes(self, version: str, attempt: int) -> bool:
        """Go on to promotion."""
        return self.promote == reference(version, attempt)

    def aborts(self, version: str, attempt: int) -> bool:
        """Roll back now."""
        return self.abort == reference(version, attempt)

    def pauses(self, version: str, attempt: int) -> bool:
        """Hold stage and weight."""
        return self.pause == reference(version, attempt)

    def retries(self, version: str, attempt: int) -> bool:
        """Try again a candidate whose rollout number `attempt` was rolled back."""
        return self.retry == reference(version, attempt)
