"""Conditions of a Job, written as the real controller writes them."""

from dataclasses import dataclass
from datetime import datetime

from pawl.local.controllers.objects import Obj, find_condition, stamp


@dataclass(frozen=True)
class Outcome:
    """How a Job ends: the interim condition now, the terminal one when all pods are done."""

    interim: str
    terminal: str
    reason: str
    message: str

    @classmethod
    def success(cls, reason: str, message: str) -> "Outcome":
        return cls("SuccessCriteriaMet", "Complete", reason, message)

    @classmethod
    def failure(cls, reason: str, message: str) -> "Outcome":
        return cls("FailureTarget", "Failed", reason, message)

    @property
    def succeeded(self) -> bool:
        return self.terminal == "Complete"


def ensure(
    conditions: list[Obj], kind: str, value: str, *, reason: str, message: str, now: datetime
) -> bool:
    """Append or rewrite a condition in place; whether that changed anything.

    A condition that was never there is not added as False: nothing to nothing says nothing.
    """
    new = {
        "type": kind,
        "status": value,
        "lastProbeTime": stamp(now),
        "lastTransitionTime": stamp(now),
        "reason": reason,
        "message": message,
    }
    old = find_condition(conditions, kind)
    if old is None:
        if value == "False":
            return False
        conditions.append(new)
        return True
    if (old["status"], old.get("reason"), old.get("message")) == (value, reason, message):
        return False
    old.clear()
    old.update(new)
    return True
