"""What starts a run beside its recipe: the schedule, and data that are not those of the last run.

A time of the schedule has at most one run: `status.schedule.handled`, up to which times are done
with, is written together with the number of the run that it starts, under a resourceVersion
precondition. It is kept, so a time that came while nobody looked (the operator was down, a run was
going on, the job was suspended) is caught up: the newest one, once, unless its deadline is over.
When the clock goes back, nothing is due until it is past what is handled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pawl.api.duration import seconds
from pawl.api.trainingjob import RunStatus
from pawl.api.triggers import ScheduleStatus
from pawl.core import cron, polls
from pawl.core.conditions import parse_timestamp, timestamp
from pawl.core.plan import Event
from pawl.core.run_work import FINISHED, Work

#: Seconds after which the clock is looked at again: it may be set meanwhile.
_LOOK = 600.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """A run is to start: why, and for which time of the schedule."""

    kind: Literal["Schedule", "DataChange"]
    message: str
    due: str | None = None


def triggered(work: Work, run: RunStatus) -> Trigger | None:
    """Whether a run follows `run`, whose recipe is that of now."""
    return _scheduled(work, run) or _changed(work, run)


def _scheduled(work: Work, run: RunStatus) -> Trigger | None:
    spec = work.job.spec
    if spec.schedule is None:
        work.values["schedule"] = None
        work.conditions.drop("Scheduled")
        return None
    zone = spec.time_zone or "UTC"
    if why := cron.problem(spec.schedule, zone):
        if work.conditions.reason("Scheduled") != "InvalidSchedule":
            work.draft.events.append(Event("InvalidSchedule", why, "Warning"))
        work.conditions.set("Scheduled", False, "InvalidSchedule", why)
        work.values["schedule"] = None
        return None
    work.conditions.set("Scheduled", True, "Suspended" if spec.suspend else "Waiting")
    of, old = f"{spec.schedule} {zone}", work.job.status.schedule
    handled = parse_timestamp(old.handled) if old and old.of == of else work.now
    due = cron.newest(spec.schedule, zone, handled, work.now)
    trigger = _due(work, run, due) if due is not None and not spec.suspend else None
    if due is not None and (trigger is not None or _missed(work, due)):
        handled = due
    following = cron.following(spec.schedule, zone, max(handled, work.now))
    work.values["schedule"] = ScheduleStatus(
        of=of,
        handled=timestamp(handled),
        next=timestamp(following) if following is not None else None,
    )
    if following is not None:
        left = (following - work.now).total_seconds()
        work.draft.requeue(min(max(left, 0.1), _LOOK))
    return trigger


def _due(work: Work, run: RunStatus, due: datetime) -> Trigger | None:
    """The run for that time, if it may start now."""
    going_on = run.phase not in FINISHED
    if _late(work, due) or (going_on and work.job.spec.concurrency_policy != "Replace"):
        return None
    return Trigger("Schedule", f"due at {timestamp(due)}", timestamp(due))


def _missed(work: Work, due: datetime) -> bool:
    """Whether it is too late for that time; if so, it is told."""
    if not _late(work, due):
        return False
    text = f"the run due at {timestamp(due)} could not start within startingDeadlineSeconds"
    work.draft.events.append(Event("RunMissed", text, "Warning"))
    return True


def _late(work: Work, due: datetime) -> bool:
    deadline = work.job.spec.starting_deadline_seconds
    return deadline is not None and work.now - due > timedelta(seconds=deadline)


def _changed(work: Work, run: RunStatus) -> Trigger | None:
    """Follows the looks at the data; only while no run goes on."""
    wanted = work.job.spec.on_data_change
    if wanted is None:
        work.values["poll"] = None
    if wanted is None or work.job.spec.suspend or run.phase not in FINISHED:
        polls.end(work)
        return None
    old, known = work.job.status.poll, work.job.status.data_digest
    interval = timedelta(seconds=seconds(wanted.interval))
    found = polls.read(work, old)
    if found is not None and not found.running:
        polls.end(work)
        baseline = known or (old.digest if old is not None else None)
        work.values["poll"] = found
        if found.digest is not None and baseline not in (None, found.digest):
            return Trigger("DataChange", f"the data are {found.digest[:19]} now")
    found = found or old
    if found is not None and found.running:
        work.values["poll"] = found
        return None
    since = [at for at in (run.finished_at if known else None, found and found.at) if at]
    left = max(map(parse_timestamp, since), default=work.now - interval) + interval - work.now
    if left <= timedelta(0):
        polls.end(work)
        found = polls.begin(work, run, found)
    else:
        work.draft.requeue(min(max(left.total_seconds(), 0.1), _LOOK))
    work.values["poll"] = found
    return None
