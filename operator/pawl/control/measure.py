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
from pawl.core.measurement import Measurement, users_since, window
from pawl.errors import PawlError
from pawl.stats import shadow

Object = Mapping[str, Any]
#: Seconds that a copy of a request may be answered later than its original, and still be compared.
_PATIENCE = 3
#: Of a longer window only the last seconds are compared: pairs are a sample anyway, and an operator
#: that is late must not have more to do for it.
_SAMPLED = 10


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
        seconds = window(state, now.timestamp())
        return await self._measured(state, spec, pods, *seconds) if seconds is not None else None

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
        (arms, end), users, queries = await asyncio.gather(
            self._monitors.arms(versions, begin, end),
            self._users(state, spec, versions, end),
            self._queries(state, spec, candidate),
        )
        stable, other = (
            replace(arms[version], users=users.get(version, arms[version].users))
            for version in (state.reference, candidate)
        )
        comparison = None
        if state.phase == "Shadow":
            comparison = await self._comparison(versions, state.reference, candidate, (begin, end))
        return Measurement(begin, end, stable, other, comparison, queries)

    async def _users(
        self,
        state: RolloutStatus,
        spec: RolloutSpec,
        versions: Mapping[int, list[Object]],
        end: int,
    ) -> dict[int, Mapping[int, tuple[int, int]]]:
        """Users of each version from the beginning; nothing where they are not sticky."""
        if spec.canary is None or spec.canary.sticky is None or state.phase == "Shadow":
            return {}
        arms, _ = await self._monitors.arms(versions, users_since(state, end), end)
        return {version: arm.users for version, arm in arms.items()}

    async def _comparison(
        self,
        versions: Mapping[int, list[Object]],
        reference: int,
        candidate: int,
        seconds: tuple[int, int],
    ) -> shadow.Comparison:
        """Pairs of answers to the same request, of a window a little earlier: a copy may be
        answered later than its original, in one of the seconds that follow."""
        begin, end = (second - _PATIENCE for second in seconds)
        begin = max(begin, end - _SAMPLED)
        stable, other = await asyncio.gather(
            self._monitors.pairs(reference, versions[reference], begin, end),
            self._monitors.pairs(candidate, versions[candidate], begin - 1, end + _PATIENCE),
        )
        return shadow.compare(shadow.join(stable, other))

    async def _queries(
        self, state: RolloutStatus, spec: RolloutSpec, candidate: int
    ) -> dict[str, float | None]:
        if self._prometheus is None or spec.canary is None or state.phase == "Shadow":
            return {}
        queries = [gate.prometheus.query for gate in spec.canary.gates if gate.prometheus]
        found = await asyncio.gather(
            *(_value(self._prometheus, query, state.reference, candidate) for query in queries)
        )
        return dict(zip(queries, found, strict=True))


async def _value(prometheus: Prometheus, query: str, stable: int, candidate: int) -> float | None:
    text = query.replace("$(candidate)", str(candidate)).replace("$(stable)", str(stable))
    try:
        return await prometheus.value(text)
    except PawlError:
        return None


def _servers(pods: Iterable[Object], version: int) -> Iterable[Object]:
    wanted = {c.LABEL_ROLE: c.ROLE_SERVER, c.LABEL_VERSION: str(version)}
    return (pod for pod in pods if wanted.items() <= pod["metadata"]["labels"].items())
