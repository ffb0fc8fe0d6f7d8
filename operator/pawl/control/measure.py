"""Measures the two versions of a rollout under way, for one poll interval."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.deployment import DeploymentStatus
from pawl.api.names import version_number
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutStatus
from pawl.control.monitors import Monitors
from pawl.control.prometheus import Prometheus
from pawl.core.conditions import parse_timestamp
from pawl.core.measurement import Measurement
from pawl.errors import PawlError
from pawl.stats import shadow

Object = Mapping[str, Any]
#: Seconds from one measurement to the next, and for a server to close a second.
POLL, _LAG = 2, 1
#: As far back as servers remember.
_LONGEST = 7200


class Measure:
    """What the observer asks; `prometheus` is None when the installation has none."""

    def __init__(self, monitors: Monitors, prometheus: Prometheus | None) -> None:
        self._monitors = monitors
        self._prometheus = prometheus

    async def rollout(
        self, item: Object, pods: tuple[Object, ...], now: datetime
    ) -> Measurement | None:
        """The interval since the last measurement; None when no rollout compares anything, or it
        is too early for the next one."""
        try:
            state = DeploymentStatus.model_validate(item.get("status") or {}).rollout
            spec = RolloutSpec.model_validate(item["spec"]["rollout"])
        except (ValueError, KeyError):
            return None
        if state is None or state.phase == "RollingBack":
            return None
        begin, end = _begin(state), int(now.timestamp()) - _LAG
        if begin is None or end - begin < POLL:
            return None
        return await self._measured(state, spec, pods, max(begin, end - _LONGEST), end)

    async def _measured(
        self,
        state: RolloutStatus,
        spec: RolloutSpec,
        pods: tuple[Object, ...],
        begin: int,
        end: int,
    ) -> Measurement:
        candidate = version_number(state.candidate)
        versions = {v: list(_servers(pods, v)) for v in (state.reference, candidate)}
        arms, comparison, queries = await asyncio.gather(
            self._monitors.arms(versions, begin, end),
            self._comparison(state, versions, candidate, begin, end),
            self._queries(state, spec, candidate),
        )
        stable, other = arms[state.reference], arms[candidate]
        if spec.canary is not None and spec.canary.sticky is not None and state.phase != "Shadow":
            # Who comes again is the same user: users are counted from the beginning.
            since = max(int(parse_timestamp(state.started_at).timestamp()), end - _LONGEST)
            whole = await self._monitors.arms(versions, since, end)
            stable = replace(stable, users=whole[state.reference].users)
            other = replace(other, users=whole[candidate].users)
        return Measurement(begin, end, stable, other, comparison, queries)

    async def _comparison(
        self,
        state: RolloutStatus,
        versions: Mapping[int, list[Object]],
        candidate: int,
        begin: int,
        end: int,
    ) -> shadow.Comparison | None:
        """Pairs of answers to the same request; only in the shadow stage are there any."""
        if state.phase != "Shadow":
            return None
        stable, other = await asyncio.gather(
            self._monitors.pairs(versions[state.reference], begin, end),
            self._monitors.pairs(versions[candidate], begin, end),
        )
        return shadow.compare(shadow.join(stable, other))

    async def _queries(
        self, state: RolloutStatus, spec: RolloutSpec, candidate: int
    ) -> dict[str, float | None]:
        if self._prometheus is None or spec.canary is None or state.phase == "Shadow":
            return {}
        found: dict[str, float | None] = {}
        for gate in spec.canary.gates:
            if gate.prometheus is None:
                continue
            query = gate.prometheus.query
            text = query.replace("$(candidate)", str(candidate))
            text = text.replace("$(stable)", str(state.reference))
            try:
                found[query] = await self._prometheus.value(text)
            except PawlError:
                found[query] = None
        return found


def _begin(state: RolloutStatus) -> int | None:
    if state.measured_to is not None:
        return state.measured_to
    since = state.step_started_at
    return int(parse_timestamp(since).timestamp()) if since else None


def _servers(pods: Iterable[Object], version: int) -> Iterable[Object]:
    wanted = {c.LABEL_ROLE: c.ROLE_SERVER, c.LABEL_VERSION: str(version)}
    return (pod for pod in pods if wanted.items() <= pod["metadata"]["labels"].items())
