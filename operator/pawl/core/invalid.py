"""The plan for an object whose spec cannot be read: stored before a schema change, say."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from pawl.api.base import ObjectStatus
from pawl.core.conditions import Conditions
from pawl.core.plan import Draft, Event, Object, Plan


def plan_invalid(old: ObjectStatus, item: Object, error: ValidationError, now: datetime) -> Plan:
    """It stalls with the first thing that is wrong, and is not tried again until it changes."""
    generation = item["metadata"].get("generation", 0)
    conditions, draft = Conditions(old.conditions, generation=generation, now=now), Draft()
    first = error.errors()[0]
    where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    sentence = f"{where}: {what}"
    if conditions.reason("Stalled") != "InvalidSpec":
        draft.events.append(Event("InvalidSpec", sentence, "Warning"))
    conditions.stall("InvalidSpec", sentence)
    changes = {"conditions": conditions.all(), "observed_generation": generation}
    return draft.finish(old.model_copy(update=changes).render())
