"""What router pods say of themselves, and how their counters are read.

Counters are cumulative and start at zero again with the router's process, and with a version that
the router forgot and met again. `increase` is the only right way to compare two readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Totals:
    """Requests that are over, and those of them that failed, since the counter's start.

    One request counts once, however often it was tried. Errors are 5xx and 4xx answers of the
    server (a version that refuses what another accepts is worse; who asks wrongly asks both alike),
    what the router had to answer itself (timeout, reset, no connection,
    overload), and `abandoned` ones: the client went before there was an answer, as it does when a
    server hangs and the client is less patient than the router.
    """

    requests: int = 0
    errors: int = 0
    abandoned: int = 0

    @property
    def answered(self) -> int:
        """Requests that got some answer."""
        return self.requests - self.abandoned

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.requests + other.requests,
            self.errors + other.errors,
            self.abandoned + other.abandoned,
        )

    def since(self, before: Totals) -> Totals:
        """What was counted after `before`; all of it when the counter began anew."""
        if self.answered < before.answered:
            return self
        return Totals(
            max(0, self.requests - before.requests),
            max(0, self.errors - before.errors),
            max(0, self.abandoned - before.abandoned),
        )


@dataclass(frozen=True)
class RouterState:
    """What one router pod says of itself. Revisions are None when it could not be asked; `touched`
    is the value of its refresh annotation.

    `totals` are of the inference requests that were given to a version by weight: those that name
    a version and those that ask for something else are not a random sample, and not in them.
    `mirrored` are of the copies that a shadow got. `started` names the container that counts, and
    `uptime` is its age in seconds by its own clock: a restart shows in either.
    """

    clusters_revision: str | None
    routes_revision: str | None
    healthy: Mapping[int, int] = field(default_factory=dict)  # version -> healthy hosts
    active: Mapping[int, int] = field(default_factory=dict)  # version -> requests under way
    pod: str = ""
    touched: str = ""
    totals: Mapping[int, Totals] = field(default_factory=dict)  # version -> since the start
    mirrored: Mapping[int, Totals] = field(default_factory=dict)
    started: str = ""
    uptime: int = 0


def increase(before: RouterState | None, after: RouterState) -> dict[int, Totals]:
    """Version -> what one router's `totals` gained from `before` to `after`.

    Nothing can be said of a router that was not known before (None): it gives no interval.
    """
    if before is None:
        return {}
    again = after.started != before.started or after.uptime < before.uptime
    return {
        version: totals if again else totals.since(before.totals.get(version, Totals()))
        for version, totals in after.totals.items()
    }
