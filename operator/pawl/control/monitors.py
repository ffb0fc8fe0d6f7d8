"""Asks server pods what they counted in an interval, and sums it per version."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from pawl import constants as c
from pawl.core.measurement import Arm
from pawl.stats import loghist
from pawl.stats.shadow import Pair

Object = Mapping[str, Any]
_MAX_PAGE = 4 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=3)
#: Pods of one version that are asked; more of them are a sample.
_MOST_PODS = 32


@dataclass
class _Sum:
    """What the pods of one version said."""

    pods: int = 0
    requests: int = 0
    errors: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    users: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, page: Object) -> None:
        self.pods += 1
        self.requests += int(page["requests"])
        self.errors += int(page["errors"]) + int(page.get("refused", 0))
        self.latency.update(loghist.from_wire(page["latency"]))
        self.values.update(_values(page))
        for bucket, requests, errors in page.get("users", ()):
            n, k = self.users.get(bucket, (0, 0))
            self.users[bucket] = (n + requests, k + errors)


class Monitors:
    """One HTTP session for the monitor ports of all server pods."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def arms(
        self, pods: Mapping[int, Iterable[Object]], begin: int, end: int
    ) -> dict[int, Arm]:
        """Version -> what its pods counted in the seconds from `begin` to `end`. A pod that does
        not answer is left out: what it did not say is in neither side's evidence."""
        asked = [(v, pod) for v, many in pods.items() for pod in _running(many)[:_MOST_PODS]]
        pages = await asyncio.gather(*(self._page(pod, "monitor", begin, end) for _, pod in asked))
        sums = {version: _Sum() for version in pods}
        feedback: dict[int, list[Object]] = {version: [] for version in pods}
        for (version, _), page in zip(asked, pages, strict=True):
            if page is None:
                continue
            if page.get("version") == version:
                sums[version].add(page)
            for predicted, counted in page.get("feedback", {}).items():
                if predicted.isdecimal() and int(predicted) in feedback:
                    feedback[int(predicted)].append(counted)
        return {version: _arm(sums[version], feedback[version]) for version in pods}

    async def pairs(self, pods: Iterable[Object], begin: int, end: int) -> list[Pair]:
        """The sampled answers of one version's pods."""
        running = _running(pods)[:_MOST_PODS]
        pages = await asyncio.gather(*(self._page(pod, "pairs", begin, end) for pod in running))
        return [Pair(*pair) for page in pages if page is not None for pair in page["pairs"]]

    async def _page(self, pod: Object, name: str, begin: int, end: int) -> Object | None:
        url = f"http://{pod['status']['podIP']}:{c.MONITOR_PORT}/{name}"
        query = {"from": str(begin), "to": str(end)}
        try:
            async with self._session.get(url, params=query) as response:
                response.raise_for_status()
                page = orjson.loads(await response.content.read(_MAX_PAGE))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None
        return page if isinstance(page, dict) and page.get("format") == 1 else None


def _values(page: Object) -> dict[str, int]:
    """Predictions by bins that are the same for every version: `stats.valuehist`, or classes."""
    if page.get("valueKind"):
        return {str(name): int(count) for name, count in page["values"].items()}
    names = [*page.get("categories", ()), "(other)", "(none)"]
    return {name: int(n) for name, n in zip(names, page.get("scores", ()), strict=False) if n}


def _arm(total: _Sum, feedback: list[Object]) -> Arm:
    error: Counter[int] = Counter()
    for counted in feedback:
        error.update({int(b): int(n) for b, n in counted.get("absoluteError", {}).items()})
    return Arm(
        pods=total.pods,
        requests=total.requests,
        errors=total.errors,
        latency=dict(total.latency),
        values=dict(total.values),
        users=total.users,
        labelled=sum(int(counted.get("n", 0)) for counted in feedback),
        wrong=sum(int(counted.get("wrong", 0)) for counted in feedback),
        absolute_error=dict(error),
    )


def _running(pods: Iterable[Object]) -> list[Object]:
    found = [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") == "Running" and pod["status"].get("podIP")
    ]
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))
