"""What windows are compared with, where that is not the training data: hours of live traffic.

Whole hours since 1970 of what the stable version saw are kept in the store. `firstWeek` is the 168
hours from the first one that was kept on, once they are over; `sameHourLastWeek` is the hours that
a window touches, one week earlier. As long as there is no such baseline, a window is Inconclusive
by its mix, and only shares of unusable values are judged, by those of the training data: what is
broken from the first day on would else be learnt.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from pawl.api.drift import DriftBaseline, DriftSpec
from pawl.api.duration import seconds

#: Seconds of an hour, and hours of a week.
HOUR, WEEK = 3600, 168
#: Hours for which clocks may differ, a window may wait to be decided, and an object be away.
_MARGIN = 24


@dataclass(frozen=True)
class NoBaseline:
    """Why there is no baseline."""

    reason: Literal["LearningBaseline", "StoreUnreachable"]
    message: str


def first_week(first: int) -> range:
    """The hours that begin with the first one."""
    return range(first, first + WEEK)


def last_week(start: int, end: int) -> range:
    """The hours one week before a window [start, end) of epoch seconds; never one that was not over
    when the window began."""
    begin, stop = (second - WEEK * HOUR for second in (start, end))
    return range(begin // HOUR, min(-(-stop // HOUR), start // HOUR))


def grid(spec: DriftSpec, length: int, block: int) -> int:
    """A window begins at a multiple of so many seconds; one of whole hours that is compared with
    hours begins with an hour, so that both are of the same time of the day."""
    by_hours = spec.baseline == "sameHourLastWeek" and length % HOUR == 0
    return HOUR if by_hours else block


def wanted(baseline: DriftBaseline, hour: int, first: int | None) -> bool:
    """Whether an hour is to be kept; `first` is the first one that was."""
    if baseline == "firstWeek":
        return first is None or hour in first_week(first)
    return baseline == "sameHourLastWeek"


def needless(spec: DriftSpec, hours: Collection[int], now: float) -> list[int]:
    """Which hours of a version that is served no window can be compared with any more: all but the
    first week, or those a week before the longest window (epoch seconds)."""
    if spec.baseline == "firstWeek":
        week = first_week(min(hours, default=0))
        return sorted(hour for hour in hours if hour not in week)
    oldest = (now - seconds(spec.max_window)) // HOUR - WEEK - _MARGIN
    return sorted(hour for hour in hours if hour < oldest)


def is_past(hours: Collection[int], now: float) -> bool:
    """Whether the last of them is so long ago that who is not there now is not about to come."""
    return max(hours, default=0) < now // HOUR - _MARGIN
