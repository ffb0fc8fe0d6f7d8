"""What one poll interval says to the gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pawl.api.rollout_status import RolloutStatus, RouterTotals
from pawl.core.conditions import parse_timestamp
from pawl.core.measurement import Arm, Measurement
from pawl.core.routing.route import Route
from pawl.core.routing.state import RouterState, Totals
from pawl.stats.sequential import clusters
from pawl.stats.sequential.proportions import Interval

_MOST_ROUTERS = 32


@dataclass(frozen=True)
class Sample:
    """`requests` are the routers' counts (bad: 5xx, timeouts, resets); `shadow` says that the
    candidate's are copies. `weight` is the candidate's share of all observations, for forecasts;
    `share` is its share of the traffic as configured, None when that was not the same all the time.

    The design effects say how much less requests tell because they come from the same users; None
    when no user is known in this interval: then the last estimate stands.
    """

    measured: Measurement
    requests: Interval
    shadow: bool
    weight: float
    share: float | None
    design_effect: float | None = None
    share_design_effect: float | None = None

    @property
    def stable(self) -> Arm:
        """The version that the candidate is compared with."""
        return self.measured.stable

    @property
    def candidate(self) -> Arm:
        """The version on trial."""
        return self.measured.candidate


def take(
    state: RolloutStatus,
    measured: Measurement,
    routers: tuple[RouterState, ...] | None,
    candidate: int,
    route: Route | None = None,
) -> tuple[Sample, tuple[RouterTotals, ...]]:
    """The sample since the last one, and up to where the routers' counters are used up now. `route`
    is the published one. Where no router counts (None), the servers' own counts have to do: they
    know neither timeouts nor dead pods, nor who was sent to them by weight."""
    if routers is None:
        stable_arm, arm = measured.stable, measured.candidate
        counts = Interval(stable_arm.requests, stable_arm.errors, arm.requests, arm.errors)
        return _sample(state, measured, counts, even=False), ()
    copies = "s" if state.phase == "Shadow" else ""
    known = {totals.router: totals for totals in state.routers}
    stable, other = Totals(), Totals()
    readings, even = [], _even(state, measured, candidate, route)
    for router in sorted(routers, key=lambda router: router.pod)[:_MOST_ROUTERS]:
        before = known.get(router.pod)
        if router.routes_revision is None:  # it did not answer: its old reading stays
            readings += [before] if before is not None else []
            continue
        reading = _reading(router, before, state.reference, candidate)
        if before is not None:
            stable += _since(before, reading, str(state.reference))
            other += _since(before, reading, f"{candidate}{copies}")
            followed = route.routes_revision if route is not None else before.routes
            even = even and before.routes == reading.routes == followed
        readings.append(reading)
    # A counter may be read a moment before another one that belongs to it.
    requests = Interval(
        stable.requests,
        min(stable.errors, stable.requests),
        other.requests,
        min(other.errors, other.requests),
    )
    return _sample(state, measured, requests, even=even), tuple(readings)


def _even(state: RolloutStatus, measured: Measurement, candidate: int, route: Route | None) -> bool:
    """The traffic was to be shared out in the same way all the time, as far as the state and the
    published route say."""
    since = state.step_started_at
    return (
        state.phase != "Shadow"
        and 0 < state.weight < 100
        and since is not None
        and parse_timestamp(since).timestamp() <= measured.begin
        and (route is None or route.weights.get(candidate) == state.weight)
    )


def _sample(state: RolloutStatus, measured: Measurement, requests: Interval, even: bool) -> Sample:
    """Users matter only where they are sticky; else the servers count none."""
    shadow, share = state.phase == "Shadow", state.weight / 100
    weight = share if 0 < share < 1 else (requests.share if requests.n else 0.5)
    sample = Sample(measured, requests, shadow, weight, share if even else None)
    stable, other = _buckets(measured.stable.users), _buckets(measured.candidate.users)
    if shadow or not (measured.stable.users or measured.candidate.users):
        return sample
    effect = clusters.design_effect(stable, other)
    counts = [n for n, _ in stable], [n for n, _ in other]
    of_share = clusters.share_design_effect(*counts, share) if even else None
    return replace(sample, design_effect=effect, share_design_effect=of_share)


def _buckets(users: Mapping[int, tuple[int, int]]) -> list[tuple[int, int]]:
    return [users.get(bucket, (0, 0)) for bucket in range(clusters.BUCKETS)]


def _reading(
    router: RouterState, before: RouterTotals | None, stable: int, candidate: int
) -> RouterTotals:
    """What the router has counted now. Of a version that it says nothing of, the last number stays:
    else all of it would count again when it is told again."""
    found = {str(v): router.totals[v] for v in (stable, candidate) if v in router.totals}
    if candidate in router.mirrored:
        found[f"{candidate}s"] = router.mirrored[candidate]
    now = RouterTotals(
        router=router.pod,
        started=router.started,
        uptime=router.uptime,
        routes=router.routes_revision or "",
        requests={name: totals.requests for name, totals in found.items()},
        errors={name: totals.errors for name, totals in found.items()},
        abandoned={name: totals.abandoned for name, totals in found.items() if totals.abandoned},
    )
    if before is None or _restarted(before, now):
        return now
    kept = {name: _totals(before, name) for name in before.requests if name not in found}
    return now.model_copy(
        update={
            part: {name: getattr(totals, part) for name, totals in kept.items()}
            | getattr(now, part)
            for part in ("requests", "errors", "abandoned")
        }
    )


def _restarted(before: RouterTotals, now: RouterTotals) -> bool:
    return now.started != before.started or now.uptime < before.uptime


def _since(before: RouterTotals, now: RouterTotals, name: str) -> Totals:
    """A counter began anew with its router, or with a version that the router met again."""
    after = _totals(now, name)
    return after if _restarted(before, now) else after.since(_totals(before, name))


def _totals(reading: RouterTotals, name: str) -> Totals:
    parts = reading.requests, reading.errors, reading.abandoned
    return Totals(*(part.get(name, 0) for part in parts))
