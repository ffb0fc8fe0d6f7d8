"""Events for conditions that change, for all kinds alike.

A condition that was not there and is as it should be is no news; what stays as it is is told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pawl.core.conditions import Conditions
from pawl.core.plan import Event
from pawl.core.reasons import Reason

Status = Literal["True", "False", "Unknown", "Absent"]
_ANY: tuple[Status, ...] = ("True", "False", "Unknown", "Absent")

#: Condition and what it becomes -> the event, and what the condition was before.
_TOLD: dict[tuple[str, Status], tuple[Reason, Literal["Normal", "Warning"], tuple[Status, ...]]] = {
    ("Suspended", "True"): ("Suspended", "Normal", _ANY),
    ("Suspended", "False"): ("Resumed", "Normal", ("True",)),
    ("ArtifactVerified", "Unknown"): ("Unverified", "Warning", _ANY),
    ("ArtifactVerified", "True"): ("Verified", "Normal", ("Unknown",)),
    ("Approved", "Unknown"): ("AwaitingApproval", "Normal", _ANY),
    ("Approved", "True"): ("Approved", "Normal", ("Unknown", "False")),
    ("Available", "True"): ("Available", "Normal", _ANY),
    ("Available", "False"): ("Unavailable", "Warning", ("True",)),
    ("Tracked", "False"): ("NotTracked", "Warning", _ANY),
    ("Tracked", "True"): ("Tracked", "Normal", ("False",)),
    ("Capturing", "False"): ("NotCapturing", "Warning", _ANY),
}


def events(conditions: Conditions) -> Iterator[Event]:
    """Of the conditions that a plan has set."""
    for before, now in conditions.changes():
        was: Status = before.status if before is not None else "Absent"
        told = _TOLD.get((now.type, now.status))
        if told is not None and was in told[2]:
            yield Event(told[0], now.message or now.reason, told[1])
