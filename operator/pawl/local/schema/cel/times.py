"""Accessors of timestamps (in UTC, or in the time zone given) and durations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pawl.local.schema.cel.functions import declare
from pawl.local.schema.cel.problems import EvaluationError
from pawl.local.schema.cel.values import Duration

_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: (moment.weekday() + 1) % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
_SPANS = {
    "getHours": 3600 * 10**9,
    "getMinutes": 60 * 10**9,
    "getSeconds": 10**9,
    "getMilliseconds": 10**6,
}


def _zone(name: str) -> tzinfo:
    offset = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name)
    if offset:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-span if offset[1] == "-" else span)
    try:
        return UTC if name in ("", "UTC") else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _declare(name: str, part: Callable[[datetime], int]) -> None:
    declare(f"timestamp.{name}() -> int", lambda moment: part(moment.astimezone(UTC)))
    declare(f"timestamp.{name}(string) -> int",
            lambda moment, zone: part(moment.astimezone(_zone(zone))))  # fmt: skip


def _declare_span(name: str, unit: int) -> None:
    def whole(span: Duration) -> int:
        return abs(span.nanoseconds) // unit * (1 if span.nanoseconds >= 0 else -1)

    declare(f"duration.{name}() -> int", whole)


for _name, _part in _PARTS.items():
    _declare(_name, _part)
for _name, _unit in _SPANS.items():
    _declare_span(_name, _unit)
