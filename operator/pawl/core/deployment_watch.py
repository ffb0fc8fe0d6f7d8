"""The closed loop of a Deployment: what its stable version sees is watched, drift is told, and a
successor is trained."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pawl.api.deployment import ServedVersion
from pawl.api.drift import DriftSpec
from pawl.api.drift_status import DriftStatus
from pawl.core.conditions import Conditions, parse_timestamp
from pawl.core.deployment_work import Work
from pawl.core.plan import Apply, Event
from pawl.core.serving_children import deletion
from pawl.core.watch import Alarm, Asked, Watch, follow, kept, stale, watch

#: Seconds between two times that the running window is kept; servers remember twenty minutes.
_KEEP = 300
#: Seconds that pods take to tell of the end of a window, and between two looks for it.
_LAG, _AGAIN = 4.0, 3.0


def close_loop(work: Work, conditions: Conditions, stable: ServedVersion) -> dict[str, Any]:
    """The fields of the status about drift and retraining; the rest goes to the draft."""
    spec = work.deployment.spec
    if spec.drift is None:
        return _unwatched(work, conditions)
    status = work.deployment.status
    found = watch(spec.drift, status.drift, stable, work.observed.drift, work.now)
    alarm = _alarm(work, spec.drift, found.status, stable)
    _tell(work, conditions, found, alarm)
    _keep(work)
    end = parse_timestamp(found.status.window_end)
    work.draft.requeue(max((end - work.now).total_seconds() + _LAG, _AGAIN))
    values: dict[str, Any] = {"drift": found.status, "retrain": None}
    if spec.retrain is None:
        conditions.drop("Retraining")
        return values
    asked = Asked(
        item=work.observed.object,
        model=spec.model,
        spec=spec.retrain,
        retrains=spec.drift.action == "retrain",
        stable=stable,
        versions=work.versions,
        rolled_back=frozenset(entry.version for entry in work.memory.rolled_back),
        jobs=work.observed.retrains,
        recipe=work.observed.recipe,
        reset=work.commands.reset,
        now=work.now,
    )
    followed = follow(asked, status.retrain, found.status, alarm, conditions)
    work.draft.actions += followed.actions
    work.draft.events += followed.events
    if followed.requeue is not None:
        work.draft.requeue(followed.requeue)
    return values | {"retrain": followed.status}


def _unwatched(work: Work, conditions: Conditions) -> dict[str, Any]:
    for type_ in ("Drifted", "Retraining"):
        conditions.drop(type_)
    if work.observed.window is not None:
        work.draft.actions.append(deletion(work.observed.window))
    return {"drift": None, "retrain": None}


def _alarm(work: Work, spec: DriftSpec, status: DriftStatus, stable: ServedVersion) -> Alarm | None:
    decided = status.decided
    if decided is not None and decided.verdict == "Fail":
        return Alarm("Drifted", decided.message, decided.end, decided.concerns, decided.drifted)
    sentence = stale(spec, _made(work, stable), work.now)
    if sentence:
        return Alarm("Stale", f"{stable.name} is stale: {sentence}", None, ("age",))
    return None


def _made(work: Work, stable: ServedVersion) -> datetime | None:
    """When the stable version was recorded; when it began to serve, if its object is gone."""
    for version in work.observed.versions:
        if version["metadata"]["name"] == stable.name:
            return parse_timestamp(version["metadata"]["creationTimestamp"])
    return parse_timestamp(stable.since) if stable.since else None


def _tell(work: Work, conditions: Conditions, found: Watch, alarm: Alarm | None) -> None:
    """The condition, and an event when it changes or another window says the same again."""
    before = conditions.holds("Drifted")
    if alarm is not None:
        conditions.set("Drifted", True, alarm.reason, alarm.message)
        if not before or found.decided is not None:
            work.draft.events.append(Event("Drifted", alarm.message, "Warning"))
        return
    decided = found.status.decided
    if decided is None and conditions.reason("Drifted") == "Drifted":
        return  # of the version before: a successor has to show first that it is over
    if decided is None:
        conditions.set("Drifted", None, "Watching", f"since {found.status.window_start}")
    elif decided.verdict == "Pass":
        conditions.set("Drifted", False, "AsBefore", decided.message)
    else:
        conditions.set("Drifted", None, "TooFewRows", decided.message)
    if before and decided is not None and decided.verdict == "Pass":
        work.draft.events.append(Event("DriftEnded", decided.message))


def _keep(work: Work) -> None:
    """What was counted, now and then."""
    seen = work.observed.drift
    if seen is None:
        return
    known = kept.read(work.observed.window)
    same = known is not None and (known.version, known.start) == (seen.version, seen.start)
    before = known.to if same and known is not None else seen.start
    if seen.to - before < _KEEP:
        return
    owner = work.observed.object
    held = kept.Kept(seen.version, seen.start, seen.to, seen.window.dump(seen.layout))
    work.draft.actions.append(Apply(kept.build(owner, held)))
