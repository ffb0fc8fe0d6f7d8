"""The closed loop of a Deployment: what its stable version sees is watched, drift is told, and a
successor is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pawl.api.deployment import ServedVersion
from pawl.api.drift import DriftSpec
from pawl.api.drift_status import DriftStatus, LabelStatus, RetrainStatus
from pawl.core.conditions import Conditions, parse_timestamp, timestamp
from pawl.core.deployment_work import Work
from pawl.core.failures import DECAYED
from pawl.core.plan import Apply, Event, KeepHour
from pawl.core.serving_children import deletion
from pawl.core.watch import Alarm, Asked, Watch, follow, kept, labels, stale, still, unknown, watch
from pawl.stats.drift.window import empty

#: Seconds between two times that the running window is kept; servers remember twenty minutes.
_KEEP = 300
#: Seconds that pods take to tell of the end of a window, and between two looks for it.
_LAG, _AGAIN = 4.0, 3.0


def close_loop(work: Work, conditions: Conditions, stable: ServedVersion) -> dict[str, Any]:
    """The fields of the status about drift and retraining; the rest goes to the draft."""
    spec, old, now = work.deployment.spec.drift, work.deployment.status.drift, work.now
    if spec is None:
        return _unwatched(work, conditions)
    found = watch(spec, old, stable, work.observed.drift, now)
    before = old.labels if old is not None and _same(old, stable) else None
    truth = labels(spec, before, work.observed.tally, _metrics(work, stable), now)
    drift = found.status.model_copy(update={"labels": truth})
    alarm = _alarm(work, spec, drift, stable)
    fresh = found.decided is not None or (truth != before and _is_new(truth, now))
    _tell(work, conditions, drift, alarm, fresh=fresh)
    _keep(work, drift, found)
    _look_again(work, drift)
    if decayed(work, drift, stable) and not work.decayed:
        work.draft.requeue(0.0)  # once that is in the status
    return {"drift": drift, "retrain": _retrain(work, conditions, drift, alarm, stable)}


def _look_again(work: Work, drift: DriftStatus) -> None:
    """When a window is over, and pods have told of all of it."""
    for end in (drift.window_end, drift.labels.window_end if drift.labels else None):
        if end is not None:
            left = (parse_timestamp(end) - work.now).total_seconds()
            work.draft.requeue(max(left + _LAG, _AGAIN))


def _retrain(
    work: Work,
    conditions: Conditions,
    drift: DriftStatus,
    alarm: Alarm | None,
    stable: ServedVersion,
) -> RetrainStatus | None:
    spec, watched = work.deployment.spec, work.deployment.spec.drift
    if spec.retrain is None or watched is None:
        conditions.drop("Retraining")
        return None
    asked = Asked(
        item=work.observed.object,
        model=spec.model,
        spec=spec.retrain,
        retrains=watched.action == "retrain",
        stable=stable,
        versions=work.versions,
        rolled_back=frozenset(entry.version for entry in work.memory.rolled_back),
        jobs=work.observed.retrains,
        recipe=work.observed.recipe,
        reset=work.commands.reset,
        now=work.now,
        label_delay=watched.performance.label_delay if watched.performance else None,
        pinned=spec.version != "latest",
    )
    followed = follow(asked, work.deployment.status.retrain, drift, alarm, conditions)
    work.draft.actions += followed.actions
    work.draft.lines += followed.lines
    if followed.training is not None:
        work.draft.afterwards.append(followed.training)
    work.draft.events += followed.events
    if followed.requeue is not None:
        work.draft.requeue(followed.requeue)
    return followed.status


def _unwatched(work: Work, conditions: Conditions) -> dict[str, Any]:
    for type_ in ("Drifted", "Retraining"):
        conditions.drop(type_)
    if work.observed.window is not None:
        work.draft.actions.append(deletion(work.observed.window))
    return {"drift": None, "retrain": None}


def decayed(work: Work, drift: DriftStatus | None, stable: ServedVersion) -> str:
    """Why the stable version must make way for the one before; nothing if it need not."""
    spec = work.deployment.spec.drift
    if spec is None or spec.action != "rollback" or drift is None or not _same(drift, stable):
        return ""
    if drift.labels is None:
        return ""
    told = still(drift.labels, spec, _metrics(work, stable)).performance
    return told.message if told is not None and told.verdict == "Fail" else ""


def _same(drift: DriftStatus | None, stable: ServedVersion | None) -> bool:
    return drift is not None and stable is not None and drift.version == stable.name


def _is_new(truth: LabelStatus | None, now: datetime) -> bool:
    return truth is not None and truth.decided_at == timestamp(now)


def _metrics(work: Work, stable: ServedVersion) -> Mapping[str, float]:
    """On test rows, as the version records them."""
    served = next((v for v in work.versions if v.name == stable.name), None)
    return (served.spec.metrics if served is not None else None) or {}


def _alarm(work: Work, spec: DriftSpec, status: DriftStatus, stable: ServedVersion) -> Alarm | None:
    """All that is wrong, as one."""
    found = [*_drifted(status), *_untrue(status)]
    sentence = stale(spec, _made(work, stable), work.now)
    if sentence:
        found.append(Alarm("Stale", f"{stable.name} is stale: {sentence}", None, ("age",)))
    if not found:
        return None
    return Alarm(
        found[0].reason,
        "; ".join(alarm.message for alarm in found),
        next((alarm.window for alarm in found if alarm.window), None),
        tuple(concern for alarm in found for concern in alarm.concerns),
        tuple(name for alarm in found for name in alarm.features),
    )


def _drifted(status: DriftStatus) -> Iterator[Alarm]:
    decided = status.decided
    if decided is not None and decided.verdict == "Fail":
        yield Alarm("Drifted", decided.message, decided.end, decided.concerns, decided.drifted)


def _untrue(status: DriftStatus) -> Iterator[Alarm]:
    truth = status.labels
    if truth is None:
        return
    for reason, concern, told in (
        (DECAYED, "performance", truth.performance),
        ("Unfair", "fairness", truth.fairness),
    ):
        if told is not None and told.verdict == "Fail":
            yield Alarm(reason, told.message, truth.window_start, (concern,))


def _made(work: Work, stable: ServedVersion) -> datetime | None:
    """When the stable version was recorded; when it began to serve, if its object is gone."""
    for version in work.observed.versions:
        if version["metadata"]["name"] == stable.name:
            return parse_timestamp(version["metadata"]["creationTimestamp"])
    return parse_timestamp(stable.since) if stable.since else None


def _tell(
    work: Work, conditions: Conditions, status: DriftStatus, alarm: Alarm | None, *, fresh: bool
) -> None:
    """The condition, and an event when it changes or another window (`fresh`) says so again."""
    before, decided = conditions.holds("Drifted"), status.decided
    if alarm is not None:
        conditions.set("Drifted", True, alarm.reason, alarm.message)
        if not before or fresh:
            work.draft.events.append(Event("Drifted", alarm.message, "Warning"))
    elif decided is not None and decided.verdict == "Pass":
        conditions.set("Drifted", False, "AsBefore", decided.message)
        if before:
            work.draft.events.append(Event("DriftEnded", decided.message))
    elif decided is not None:
        conditions.set("Drifted", None, decided.reason or "TooFewRows", decided.message)
    elif not before or conditions.reason("Drifted") == "Stale":
        conditions.set("Drifted", None, *_watching(work, status))
    # else it is of the version before: a successor has to show first that it is over


def _watching(work: Work, status: DriftStatus) -> tuple[str, str]:
    seen = work.observed.drift
    if seen is not None and not seen.layout.features:
        return "NoBaseline", f"{status.version} has no baseline: it was imported without one"
    spec, message = work.deployment.spec.drift, f"since {status.window_start}"
    if seen is not None and spec is not None and (sentence := unknown(spec, seen.layout)):
        message += f"; {sentence}"
    return "Watching", message


def _keep(work: Work, drift: DriftStatus, watched: Watch) -> None:
    """What was counted, now and then; and at once that a window which was kept is decided, or
    leaves something to the next one."""
    seen = work.observed.drift
    if seen is None:
        return
    namespace, name = work.meta["namespace"], work.meta["name"]
    work.draft.actions += [
        KeepHour(namespace, name, seen.version, hour, data) for hour, data in seen.hours.items()
    ]
    known = kept.read(work.observed.window)
    same = known is not None and (known.version, known.start) == (seen.version, seen.start)
    behind = seen.to - (known.to if same and known is not None else seen.start)
    tally, told = work.observed.tally, kept.tally(work.observed.window, seen.version)
    if tally is not None:  # it may be all that there is to lose: short windows, and no baseline
        same = told is not None and told.start == tally.start
        behind = max(behind, tally.to - (told.to if same and told is not None else tally.start))
    labels_ = tally.dump() if tally is not None else ""
    start, to, window, carried = seen.start, seen.to, seen.window, seen.carried
    next_start = int(parse_timestamp(drift.window_start).timestamp())
    if watched.carried is not None:
        start, to, window, carried = next_start, next_start, watched.carried, watched.carry
    elif known is not None and known.start == start != next_start:
        start, to, window, carried = next_start, next_start, empty(seen.layout), None
    elif behind < _KEEP:
        return
    held = kept.Kept(seen.version, start, to, window.dump(seen.layout), labels_, carried)
    if len(held.data) <= kept.MOST:
        work.draft.actions.append(Apply(kept.build(work.observed.object, held)))
