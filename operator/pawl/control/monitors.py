"""Asks server pods what they counted in an interval, and sums it per version."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import aiohttp

from pawl import constants as c
from pawl.control.features import Described, Steps, parse_layout, parse_steps
from pawl.control.metrics import POLLS
from pawl.control.pages import whole
from pawl.control.snapshot import Feedback, Snapshot, parse_pairs, parse_snapshot
from pawl.core.measurement import Arm
from pawl.stats import loghist
from pawl.stats.shadow import Pair

Object = Mapping[str, Any]
Page = TypeVar("Page")
_MAX_PAGE = 4 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=2)
#: Pods of one version that are asked; more of them are a sample.
_MOST_PODS = 32
#: Seconds that a pod may be behind the others, by its clock or because it is busy, and is waited
#: for. The operator's own clock says nothing of what pods know.
_BEHIND = 5
#: And where there is no hurry.
_FAR_BEHIND = 60


class Monitors:
    """One HTTP session for the monitor ports of all server pods."""

    def __init__(self, port: int = c.MONITOR_PORT) -> None:
        self._port = port
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def arms(
        self, pods: Mapping[int, Iterable[Object]], begin: int, end: int
    ) -> tuple[dict[int, Arm], int]:
        """Version -> what its pods counted from `begin` on, and up to where they did: `end`, or a
        little less when a pod does not know all of that yet. So no second is left out, or counted
        twice. A pod that does not answer is left out: what it did not say is in neither side's
        evidence."""
        pages, stop = await self._agreed(pods, begin, end, behind=_BEHIND)
        return {
            version: _arm(version, [page for page in many if page.end >= stop], pages)
            for version, many in pages.items()
        }, stop

    async def pairs(self, version: int, pods: Iterable[Object], begin: int, end: int) -> list[Pair]:
        """The sampled answers of one version's pods."""
        pages = await self._pages(version, pods, "pairs", (begin, end), parse_pairs)
        return [pair for _, page in pages for pair in page]

    async def steps(
        self, version: int, pods: Iterable[Object], begin: int, end: int, step: int, *, fine: bool
    ) -> list[Steps]:
        """What one version's pods saw, by steps of so many seconds; in fine bins too, if asked."""
        seconds, more = (begin, end), {"step": str(step)} | ({"fine": "1"} if fine else {})
        pages = await self._pages(version, pods, "features", seconds, parse_steps, more)
        return [page for _, page in pages]

    async def feedback(
        self, pods: Mapping[int, Iterable[Object]], version: int, begin: int, end: int, step: int
    ) -> tuple[list[Feedback], int]:
        """What truth each pod was told of the answers of one version, and up to where: `end`, or
        some steps of so many seconds less when a pod does not know all of that yet. `begin` when no
        pod answers."""
        found, stop = await self._agreed(pods, begin, end, behind=_FAR_BEHIND, step=step)
        pages = [page for many in found.values() for page in many]
        told = [page.feedback[version] for page in pages if version in page.feedback]
        return told, stop if pages else begin

    async def layout(self, version: int, pods: Iterable[Object]) -> Described | None:
        """What the cells of those minutes are; None when no pod tells."""
        pages = await self._pages(version, pods, "features/layout", (0, 0), parse_layout)
        return pages[0][1] if pages else None

    async def _agreed(
        self,
        pods: Mapping[int, Iterable[Object]],
        begin: int,
        end: int,
        *,
        behind: int,
        step: int = 1,
    ) -> tuple[dict[int, list[Snapshot]], int]:
        """What they say of [begin, stop), and `stop`: whole steps up to where all of them know
        everything, but those that are far behind."""
        found = await self._snapshots(pods, begin, end)
        ends = [min(page.end, end) for many in found.values() for _, page in many]
        newest = max(ends, default=end)
        stop = min((to for to in ends if to >= newest - behind), default=end)
        stop = begin + max(stop - begin, 0) // step * step
        if stop < end:
            answered = {version: [pod for pod, _ in many] for version, many in found.items()}
            found = await self._snapshots(answered, begin, stop)
        return {version: [page for _, page in many] for version, many in found.items()}, stop

    async def _snapshots(
        self, pods: Mapping[int, Iterable[Object]], begin: int, end: int
    ) -> dict[int, list[tuple[Object, Snapshot]]]:
        asked = (
            self._pages(version, many, "monitor", (begin, end), parse_snapshot)
            for version, many in pods.items()
        )
        return dict(zip(pods, await asyncio.gather(*asked), strict=True))

    async def _pages(
        self,
        version: int,
        pods: Iterable[Object],
        name: str,
        seconds: tuple[int, int],
        parse: Callable[[bytes, str | None, int], Page],
        more: Mapping[str, str] | None = None,
    ) -> list[tuple[Object, Page]]:
        """What the running pods say; without those that say nothing, or nothing sensible."""

        async def one(pod: Object) -> tuple[Object, Page] | None:
            url = f"http://{pod['status']['podIP']}:{self._port}/{name}"
            query = dict(zip(("from", "to"), map(str, seconds), strict=True)) | dict(more or {})
            model = pod["metadata"].get("labels", {}).get(c.LABEL_MODEL)
            try:
                async with self._session.get(url, params=query) as response:
                    response.raise_for_status()
                    page = parse(await whole(response, _MAX_PAGE), model, version)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
                POLLS.labels(name, "failed").inc()
                return None
            POLLS.labels(name, "answered").inc()
            return pod, page

        found = await asyncio.gather(*map(one, _running(pods)[:_MOST_PODS]))
        return [told for told in found if told is not None]


def _arm(version: int, pages: list[Snapshot], all_pages: Mapping[int, list[Snapshot]]) -> Arm:
    """Feedback counts for the version that predicted, whichever pod was told."""
    values: Counter[str] = Counter()
    for page in pages:
        values.update(page.values)
    feedback = [
        page.feedback[version]
        for many in all_pages.values()
        for page in many
        if version in page.feedback
    ]
    return Arm(
        pods=len(pages),
        requests=sum(page.requests for page in pages),
        errors=sum(page.errors for page in pages),
        latency=loghist.merge(page.latency for page in pages),
        values=dict(values),
        users=_added(page.users for page in pages),
        labelled=sum(counted.labelled for counted in feedback),
        wrong=sum(counted.wrong for counted in feedback),
        ages=_added(counted.ages for counted in feedback),
        weights=loghist.merge(counted.weights for counted in feedback),
        predictions=sum(page.predictions for page in pages),
        absolute_error=loghist.merge(counted.absolute_error for counted in feedback),
    )


def _added(tables: Iterable[Mapping[int, tuple[int, int]]]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for table in tables:
        for key, (n, k) in table.items():
            before = found.get(key, (0, 0))
            found[key] = (before[0] + n, before[1] + k)
    return found


def _running(pods: Iterable[Object]) -> list[Object]:
    found = [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") == "Running" and pod["status"].get("podIP")
    ]
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))
