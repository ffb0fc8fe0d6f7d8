"""Conditions as KEP-1623 has them, over immutable lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pawl.api.base import Condition

_MESSAGE_LIMIT = 4000


class Conditions:
    """The conditions of one object while its plan is made.

    `set` keeps `lastTransitionTime` when the status stays, so that planning twice gives the same.
    """

    def __init__(self, old: tuple[Condition, ...], *, generation: int, now: datetime) -> None:
        self._before = {condition.type: condition for condition in old}
        self._by_type = dict(self._before)
        self._generation = generation
        self._now = timestamp(now)

    def set(self, type_: str, holds: bool | None, reason: str, message: str = "") -> None:
        """None is Unknown."""
        status = {True: "True", False: "False", None: "Unknown"}[holds]
        old = self._by_type.get(type_)
        since = old.last_transition_time if old and old.status == status else self._now
        self._by_type[type_] = Condition.model_validate(
            {
                "type": type_,
                "status": status,
                "reason": reason,
                "message": message[:_MESSAGE_LIMIT],
                "lastTransitionTime": since,
                "observedGeneration": self._generation,
            }
        )

    def drop(self, type_: str) -> None:
        """Forget a condition that does not apply any more."""
        self._by_type.pop(type_, None)

    def accept(self, *, ready: bool | None, reason: str, message: str = "") -> None:
        """The spec is acted on: Ready as given, Reconciling and Stalled False (kstatus)."""
        self.set("Ready", ready, reason, message)
        self.set("Reconciling", False, "Observed")
        self.set("Stalled", False, "Observed")

    def stall(self, reason: str, message: str) -> None:
        """The spec cannot be acted on until somebody changes something."""
        self.set("Ready", False, reason, message)
        self.set("Reconciling", False, "Observed")
        self.set("Stalled", True, reason, message)

    def holds(self, type_: str) -> bool:
        """Whether the condition is there and True."""
        condition = self._by_type.get(type_)
        return condition is not None and condition.status == "True"

    def reason(self, type_: str) -> str:
        """Of a condition; empty when there is none."""
        condition = self._by_type.get(type_)
        return condition.reason if condition is not None else ""

    def changes(self) -> Iterator[tuple[Condition | None, Condition]]:
        """The conditions whose status was another one before, or that are new: before, now."""
        for type_, now in sorted(self._by_type.items()):
            before = self._before.get(type_)
            if before is None or before.status != now.status:
                yield before, now

    def all(self) -> tuple[Condition, ...]:
        """In a fixed order."""
        return tuple(self._by_type[type_] for type_ in sorted(self._by_type))


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with seconds, as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    """Inverse of `timestamp`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
