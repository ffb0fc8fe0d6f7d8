"""Durations as users write them: `90s`, `10m`, `24h`, `30d`, `1h30m`.

Days are there because rollouts last days; Go and CEL know none, so a pattern checks them.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import Field

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST = 36_500 * 86_400
_PART = re.compile(r"([0-9]+)([smhd])")

Duration = Annotated[
    str,
    Field(
        max_length=20,
        pattern=r"^([0-9]{1,7}d)?([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?$",
        min_length=2,
        description="Like 90s, 10m, 24h, 30d or 1h30m.",
    ),
]


def seconds(duration: str) -> int:
    """The length of a duration that matches the pattern; at most a hundred years, so that now and
    it are a date."""
    return min(sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(duration)), _MOST)


def words(count: float) -> str:
    """A number of seconds in the same form, cut to its largest unit and the next: so much at least,
    and 0s for nothing only."""
    parts: list[str] = []
    left = max(0, math.ceil(count))
    for unit in "dhms":
        whole, left = divmod(left, _SECONDS[unit])
        if whole or parts:
            parts.append(f"{whole}{unit}" if whole else "")
    return "".join(parts[:2]) or "0s"
