"""Counts what the stable versions see: asks their pods, and adds up the running window of each
Deployment.

The sums are held in memory; a ConfigMap keeps them from time to time (`core.watch.kept`), and
servers remember the last minutes, so an operator that starts anew goes on where the last one was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pawl import constants as c
from pawl.api.deployment import DeploymentStatus
from pawl.api.drift import DriftSpec
from pawl.control.baselines import Baselines
from pawl.control.features import REMEMBERED, Described, Steps
from pawl.control.hours import Hours
from pawl.control.monitors import Monitors
from pawl.core.conditions import parse_timestamp
from pawl.core.watch import DriftObserved, block_seconds, kept
from pawl.core.watch.baseline import HOUR
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window, counted, empty, load

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
#: Seconds that a pod may need to close a step, or be behind the others and is waited for.
_LAG, _BEHIND = 3, 60
#: Seconds between two tries while no pod answers, and after which what they saw is given up.
_AGAIN, _PATIENCE = 2.0, 600


@dataclass
class _Held:
    """The running window of one Deployment; `told` is what its pods count. Both that and `hours`
    outlast the window."""

    version: str
    start: int
    to: int
    told: Described | None = None
    hours: Hours = field(default_factory=Hours)
    window: Window | None = None
    asked: float = 0.0

    def observed(self) -> DriftObserved | None:
        if self.told is None or self.window is None:
            return None
        return DriftObserved(self.version, self.start, self.to, self.told.layout, self.window)

    def resume(self, layout: Layout, known: kept.Kept | None, *, fine: bool) -> Window:
        """From what was kept, if that is of this window, else from its beginning."""
        if known is not None and (known.version, known.start) == (self.version, self.start):
            try:
                window = load(layout, known.data)
            except ValueError as error:
                log.warning("a window that was kept is of no use: %s", error)
            else:
                if (window.fine is not None) == fine:
                    self.to = known.to
                    return window
        self.to = self.start
        return empty(layout, fine=fine)


class Windows:
    """The running windows, by the uid of the Deployment."""

    def __init__(self, monitors: Monitors, baselines: Baselines) -> None:
        self._monitors = monitors
        self._baselines = baselines
        self._held: dict[str, _Held] = {}

    async def observed(
        self, item: Object, pods: Iterable[Object], saved: Object | None, now: datetime
    ) -> DriftObserved | None:
        """What was counted up to now; None when nothing is watched, or nothing is known yet.
        `saved` is the ConfigMap that keeps it."""
        uid = item["metadata"]["uid"]
        try:
            status = DeploymentStatus.model_validate(item.get("status") or {})
            spec = DriftSpec.model_validate(item["spec"]["drift"])
        except (ValidationError, KeyError):
            self._held.pop(uid, None)
            return None
        held = self._window(uid, status, saved)
        if held is None or status.stable is None:
            return None
        second, block = now.timestamp(), block_seconds(spec)
        end = int(second - _LAG) // block * block
        if held.to < end and not 0 <= second - held.asked < _AGAIN:
            held.asked = second
            number = str(status.stable.version)
            some = [p for p in pods if p["metadata"]["labels"].get(c.LABEL_VERSION) == number]
            await self._count(held, some, saved, end, spec)
        seen = held.observed()
        if seen is None or not seen.layout.features:
            return seen
        until = int(parse_timestamp(status.drift.window_end).timestamp()) if status.drift else 0
        return await self._baselines.compared(item, spec, seen, held.hours, until, second)

    def forget(self, known: frozenset[str]) -> None:
        """All but the Deployments with these uids are gone."""
        self._held = {uid: held for uid, held in self._held.items() if uid in known}
        self._baselines.forget(known)

    def _window(self, uid: str, status: DeploymentStatus, saved: Object | None) -> _Held | None:
        """The one that status speaks of, or, without a status, the one that was kept."""
        stable, drift = status.stable, status.drift
        if stable is None:
            return None
        if drift is not None and drift.version == stable.name:
            start = int(parse_timestamp(drift.window_start).timestamp())
        else:
            known = kept.read(saved)
            if known is None or known.version != stable.name:
                return None
            start = known.start
        held = self._held.get(uid)
        if held is not None and (held.version, held.start) == (stable.name, start):
            return held
        if held is not None and held.version == stable.name:
            held = _Held(stable.name, start, start, held.told, held.hours)
        else:
            held = _Held(stable.name, start, start)
        self._held[uid] = held
        return held

    async def _count(
        self, held: _Held, pods: list[Object], saved: Object | None, end: int, spec: DriftSpec
    ) -> None:
        version, block = int(held.version.rpartition("-v")[2]), block_seconds(spec)
        if held.told is None:
            held.told = await self._monitors.layout(version, pods)
        if held.told is None:
            return
        layout = held.told.layout
        if not layout.features:  # of an imported model
            held.window = empty(layout)
            return
        if held.window is None or (held.window.fine is not None) != spec.fine:
            held.window = held.resume(layout, kept.read(saved), fine=spec.fine)
        begin = max(held.to, end - REMEMBERED)
        by_hour = spec.baseline != "training"
        most = min(end, (begin // HOUR + 1) * HOUR) if by_hour else end
        name, width = held.told.name, len(layout.cells.of)

        async def ask(stop: int) -> list[Steps]:
            found = await self._monitors.steps(version, pods, begin, stop, block, fine=spec.fine)
            return [page for page in found if page.fits(name, width, block)]

        pages = await ask(most)
        stop = _stop(pages)
        if begin < stop < most and spec.fine:  # fine bins are of a page as a whole
            pages = await ask(stop)
        if stop > begin:
            seen = counted(layout, _blocks(pages, begin, stop, width, block), **_fine(pages))
            held.window, held.to = held.window.merged(seen), stop
            if by_hour:
                held.hours.add(begin, stop, seen, layout)
        elif end - held.to > _PATIENCE:
            held.to = end  # nobody will tell any more


def _stop(pages: list[Steps]) -> int:
    """Up to where all pods know everything; those that are far behind are not waited for."""
    newest = max((page.stop for page in pages), default=0)
    return min((page.stop for page in pages if page.stop >= newest - _BEHIND), default=0)


def _blocks(
    pages: list[Steps], begin: int, stop: int, width: int, block: int
) -> NDArray[np.uint32]:
    """[blocks, cells] summed over pods."""
    total = np.zeros(((stop - begin) // block, width), dtype=np.uint32)
    for page in pages:
        if page.stop >= stop and page.start >= begin and len(page.cells):
            at = (page.start - begin) // block
            told = page.cells[: (stop - page.start) // block]
            total[at : at + len(told)] += told
    return total


def _fine(pages: list[Steps]) -> dict[str, NDArray[Any]]:
    found = [page.fine for page in pages if page.fine is not None]
    if not found:
        return {}
    counts = np.sum([counts for counts, _ in found], axis=0, dtype=np.uint32)
    return {"fine": counts, "fine_sums": np.sum([sums for _, sums in found], axis=0)}
