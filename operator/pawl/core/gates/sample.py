"""What one poll interval says to the gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pawl.api.rollout_status import RolloutStatus, RouterTotals
from pawl.core.conditions import parse_timestamp
from pawl.core.measurement import Arm, Measurement
from pawl.core.routing.state import RouterState, Totals
from pawl.stats.sequential import clusters
from pawl.stats.sequential.proportions import Interval

_MOST_ROUTERS = 32


@dataclass(frozen=True)
class Sample:
    """`requests` are the routers' counts (bad: 5xx, timeouts, resets); `shadow` says that the
    candidate's are copies. `share` is the candidate's share of the traffic as configured, None
    when that was not the same all the time. `design_effect` is how much less requests say because
    they come from the same users."""

    measured: Measurement
    requests: Interval
    shadow: bool
    share: float | None
    design_effect: float = 1.0
    share_design_effect: float = 1.0

    @property
    def stable(self) -> Arm:
        """The version that the candidate is compared with."""
        return self.measured.stable

    @property
    def candidate(self) -> Arm:
        """The version on trial."""
        return self.measured.candidate

    @property
    def weight(self) -> float:
        """The candidate's share of all observations, for forecasts."""
        return self.requests.share if self.requests.n else (self.share or 0.5)


def take(
    state: RolloutStatus,
    measured: Measurement,
    routers: tuple[RouterState, ...],
    candidate: int,
) -> tuple[Sample, tuple[RouterTotals, ...]]:
    """The sample since the last one, and up to where the routers' counters are used up now."""
    shadow = state.phase == "Shadow"
    known = {totals.router: totals for totals in state.routers}
    stable_sum, candidate_sum = Totals(), Totals()
    readings = []
    for router in sorted(routers, key=lambda router: router.pod)[:_MOST_ROUTERS]:
        if router.routes_revision is None:  # it did not answer: its old reading stays
            readings += [known[router.pod]] if router.pod in known else []
            continue
        reading = _reading(router, state.reference, candidate)
        before = known.get(router.pod)
        if before is not None:
            stable_sum += _since(before, reading, str(state.reference))
            candidate_sum += _since(before, reading, f"{candidate}s" if shadow else str(candidate))
        readings.append(reading)
    requests = Interval(
        stable_sum.requests, stable_sum.errors, candidate_sum.requests, candidate_sum.errors
    )
    return _sample(state, measured, requests), tuple(readings)


def _sample(state: RolloutStatus, measured: Measurement, requests: Interval) -> Sample:
    """Users matter only where they are sticky; else the servers count none."""
    shadow, since = state.phase == "Shadow", state.step_started_at
    steady = since is not None and parse_timestamp(since).timestamp() <= measured.begin
    share = state.weight / 100 if steady and 0 < state.weight < 100 and not shadow else None
    users = measured.stable.users or measured.candidate.users
    stable, candidate = _buckets(measured.stable.users), _buckets(measured.candidate.users)
    if share is None or not users:
        return Sample(measured, requests, shadow, share)
    return Sample(
        measured,
        requests,
        shadow,
        share,
        clusters.design_effect(stable, candidate),
        clusters.share_design_effect([n for n, _ in stable], [n for n, _ in candidate], share),
    )


def _buckets(users: Mapping[int, tuple[int, int]]) -> list[tuple[int, int]]:
    return [users.get(bucket, (0, 0)) for bucket in range(clusters.BUCKETS)]


def _reading(router: RouterState, stable: int, candidate: int) -> RouterTotals:
    found = {str(v): router.totals[v] for v in (stable, candidate) if v in router.totals}
    if candidate in router.mirrored:
        found[f"{candidate}s"] = router.mirrored[candidate]
    return RouterTotals(
        router=router.pod,
        started=router.started,
        uptime=router.uptime,
        requests={name: totals.requests for name, totals in found.items()},
        errors={name: totals.errors for name, totals in found.items()},
    )


def _since(before: RouterTotals, now: RouterTotals, name: str) -> Totals:
    """A counter began anew with its router, or with a version that the router met again."""
    after = Totals(now.requests.get(name, 0), now.errors.get(name, 0))
    if now.started != before.started or now.uptime < before.uptime:
        return after
    return after.since(Totals(before.requests.get(name, 0), before.errors.get(name, 0)))
