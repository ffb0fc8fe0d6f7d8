"""Ages as kubectl shows them (apimachinery pkg/util/duration, HumanDuration)."""

from __future__ import annotations

import math
from datetime import datetime

UNKNOWN = "<unknown>"


def human(seconds: float) -> str:
    """Two figures at most: 90s, 5m3s, 3h20m, 2d4h, 300d, 2y30d."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole == -1 else "<invalid>"
    return next(_two(whole, unit, subunit) for limit, unit, subunit in _STEPS if whole < limit)


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_UNITS = {"s": 1, "m": _MINUTE, "h": _HOUR, "d": _DAY, "y": _YEAR}
# below the limit: the unit, and the smaller one that is shown beside it
_STEPS = (
    (2 * _MINUTE, "s", ""),
    (10 * _MINUTE, "m", "s"),
    (3 * _HOUR, "m", ""),
    (8 * _HOUR, "h", "m"),
    (2 * _DAY, "h", ""),
    (8 * _DAY, "d", "h"),
    (2 * _YEAR, "d", ""),
    (8 * _YEAR, "y", "d"),
    (math.inf, "y", ""),
)


def _two(whole: int, unit: str, subunit: str) -> str:
    large, rest = divmod(whole, _UNITS[unit])
    small = rest // _UNITS[subunit] if subunit else 0
    return f"{large}{unit}{small}{subunit}" if small else f"{large}{unit}"


def since(stamp: str | None, now: datetime) -> str:
    """The age of an RFC 3339 time; `<unknown>` without one."""
    if not stamp:
        return UNKNOWN
    return human((now - datetime.fromisoformat(stamp)).total_seconds())


def between(start: str, end: str) -> str:
    elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return human(elapsed.total_seconds())
