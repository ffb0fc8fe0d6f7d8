"""What two versions did in one interval, summed over their pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pawl.stats.shadow import Comparison

#: Bucket of a histogram -> count.
Counts = Mapping[int, int]


@dataclass(frozen=True)
class Arm:
    """One version.

    `latency` is a `stats.loghist`, `values` a `stats.valuehist` (or counts by class name),
    `users` user bucket -> (requests, errors), `labelled` and `wrong` predictions whose truth came
    in, `absolute_error` their errors as a histogram (regression).
    """

    pods: int = 0
    requests: int = 0
    errors: int = 0
    latency: Counts = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)
    users: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    labelled: int = 0
    wrong: int = 0
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
