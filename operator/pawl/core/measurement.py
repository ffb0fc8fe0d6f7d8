"""What two versions did in one interval, summed over their pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pawl.api.rollout_status import RolloutStatus
from pawl.core.conditions import parse_timestamp
from pawl.stats.shadow import Comparison

#: Bucket of a histogram -> count.
Counts = Mapping[int, int]

#: Seconds from one measurement to the next, and for a server to close a second.
POLL, LAG = 2, 1
#: As far back as servers remember.
LONGEST = 7200
#: Seconds that may have been measured already by a clock that was ahead; then it begins anew.
_AHEAD = 60


@dataclass(frozen=True)
class Arm:
    """One version.

    `latency` is a `stats.loghist`, `values` a `stats.valuehist` (or counts by class name),
    `users` user bucket -> (requests, errors), `labelled` and `wrong` predictions whose truth came
    in (all of them also by age in minutes, and by the weight that the version had then),
    `absolute_error` their errors as a histogram (regression), `predictions` those that truth can
    come for.
    """

    pods: int = 0
    requests: int = 0
    errors: int = 0
    latency: Counts = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)
    users: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    labelled: int = 0
    wrong: int = 0
    ages: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    weights: Mapping[int, int] = field(default_factory=dict)
    predictions: int = 0
    absolute_error: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """The seconds from `begin` to `end` (exclusive), since 1970. `stable` is the version that the
    candidate is compared with. `queries` are the answers of Prometheus, None where there is none.
    """

    begin: int
    end: int
    stable: Arm
    candidate: Arm
    comparison: Comparison | None = None
    queries: Mapping[str, float | None] = field(default_factory=dict)


def window(state: RolloutStatus, now: float) -> tuple[int, int] | None:
    """The seconds [begin, end) that come next, at `now` (epoch seconds). None when nothing is
    compared yet, or it is too early. Windows follow each other without a gap, unless the last one
    is longer ago than servers remember, or lies in the future of a clock that was set back."""
    begin = _begin(state)
    if begin is None:
        return None
    end = int(now) - LAG
    if begin > end + _AHEAD:
        begin = end - POLL
    return (max(begin, end - LONGEST), end) if end - begin >= POLL else None


def due(state: RolloutStatus, now: float) -> float | None:
    """Seconds until there is a next window; None when nothing is compared yet."""
    begin = _begin(state)
    return max(0.0, begin + POLL + LAG - now) if begin is not None else None


def _begin(state: RolloutStatus) -> int | None:
    if state.measured_to is not None:
        return state.measured_to
    since = state.step_started_at
    return int(parse_timestamp(since).timestamp()) if since is not None else None


def users_since(state: RolloutStatus, end: int) -> int:
    """From when on users are counted: who comes again is the same user. Those of a shadow are in
    both arms, and no part of the traffic's split."""
    began = state.stage_started_at or state.started_at
    return min(end, max(int(parse_timestamp(began).timestamp()), end - LONGEST))
