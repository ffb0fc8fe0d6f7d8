"""Times of a schedule: cron's five fields in a time zone (cronsim, which goes by Debian's cron).

When clocks are set forward, a time that does not exist is due as soon as the gap is over; when they
are set back, a time that comes twice is due the first time. Schedules whose minute and hour begin
with a star go by elapsed time, so they have an hour more or less.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: Days before now in which the newest time is looked for, until there is one.
_LOOK_BACK = (1, 35, 400, 36_500)


def problem(schedule: str, zone: str) -> str | None:
    """Why these are no times; None when they are some."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        return f'timeZone "{zone}" is not known; it is a name like Europe/Berlin'
    try:
        if next(_times(schedule, zone, datetime(2000, 1, 1, tzinfo=UTC)), None) is None:
            return f'schedule "{schedule}" never comes'
    except CronSimError as error:
        return f'schedule "{schedule}": {str(error)[:1].lower()}{str(error)[1:]}'
    return None


def newest(schedule: str, zone: str, after: datetime, now: datetime) -> datetime | None:
    """The last time in (after, now]."""
    for days in _LOOK_BACK:
        start = max(after, now - timedelta(days=days))
        found = None
        for time in _times(schedule, zone, start):
            if time > now:
                break
            found = time
        if found is not None or start == after:
            return found
    return None


def following(schedule: str, zone: str, after: datetime) -> datetime | None:
    """The first time after that one."""
    return next(_times(schedule, zone, after), None)


def _times(schedule: str, zone: str, after: datetime) -> Iterator[datetime]:
    """All later ones, in UTC. It begins some hours before: of an hour that comes twice,
    cronsim does not know which of the two it is in."""
    start = after - timedelta(hours=3)
    for local in CronSim(schedule, start.astimezone(ZoneInfo(zone))):
        time = local.astimezone(UTC)
        if time > after:
            yield time
