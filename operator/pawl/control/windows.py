"""Counts what the stable versions see: asks their pods, or a Prometheus that scrapes them, and
adds up the running window of each Deployment.

The sums are held in memory; a ConfigMap keeps them from time to time (`core.watch.kept`), and
servers remember the last minutes, so an operator that starts anew goes on where the last one was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl import constants as c
from pawl.api.deployment import DeploymentStatus
from pawl.api.drift import DriftSpec
from pawl.control import features, series
from pawl.control.baselines import Baselines
from pawl.control.features import Described, Steps
from pawl.control.hours import Hours
from pawl.control.monitors import Monitors
from pawl.control.series import Series
from pawl.control.watched import watched
from pawl.core.conditions import parse_timestamp
from pawl.core.watch import Carry, DriftObserved, block_seconds, kept
from pawl.core.watch.baseline import HOUR
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window, counted, empty, load

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
#: Seconds that a pod may need to close a step, or be behind the others and is waited for.
_LAG, _BEHIND = 3, 60
#: Seconds between two tries while no pod answers, and after which what they saw is given up.
_AGAIN, _PATIENCE = 2.0, 600
#: Counts that are asked of a pod at once: more are no page that is read, and much memory.
_MOST_COUNTS = 600_000


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
    carried: Carry | None = None
    asked: float = 0.0

    def observed(self) -> DriftObserved | None:
        if self.told is None or self.window is None:
            return None
        told, window = self.told.layout, self.window
        return DriftObserved(self.version, self.start, self.to, told, window, self.carried)

    def resume(self, layout: Layout, known: kept.Kept | None, *, fine: bool) -> Window:
        """From what was kept, if that is of this window, else from its beginning."""
        if known is not None and (known.version, known.start) == (self.version, self.start):
            try:
                window = load(layout, known.data)
            except ValueError as error:
                log.warning("a window that was kept is of no use: %s", error)
            else:
                if window.fine is not None or not fine:
                    self.to, self.carried = known.to, known.carried
                    return window
        self.to, self.carried = self.start, None
        return empty(layout, fine=fine)


@dataclass(frozen=True)
class _Look:
    """At a Deployment: `pods` are of the stable version, `saved` is the ConfigMap."""

    item: Object
    spec: DriftSpec
    pods: list[Object]
    saved: Object | None
    now: float

    @property
    def block(self) -> int:
        return block_seconds(self.spec)

    @property
    def scraped(self) -> bool:
        return self.spec.source == "Prometheus"

    @property
    def newest(self) -> int:
        """Up to where all can be known."""
        lag = series.LAG if self.scraped else _LAG
        return int(self.now - lag) // self.block * self.block

    def piece(self, to: int, cells: int) -> tuple[int, int]:
        """The seconds that are to be counted next, of so many cells. Never those of two hours at
        once where hours are counted too."""
        remembered = series.REMEMBERED if self.scraped else features.REMEMBERED
        begin = max(to, self.newest - remembered)
        steps = min(features.REMEMBERED // self.block, max(_MOST_COUNTS // cells, 1))
        end = min(self.newest, begin + steps * self.block)
        if self.spec.baseline != "training":
            end = min(end, (begin // HOUR + 1) * HOUR)
        return begin, end

    def fitting(self, told: Described, pages: list[Steps]) -> list[Steps]:
        """Those that tell what is counted."""
        return [page for page in pages if told.fits(page, self.block, fine=self.spec.fine)]


class Windows:
    """The running windows, by the uid of the Deployment. `scraped` is None when the installation
    has no Prometheus."""

    def __init__(
        self, monitors: Monitors, baselines: Baselines, scraped: Series | None = None
    ) -> None:
        self._monitors = monitors
        self._baselines = baselines
        self._scraped = scraped
        self._held: dict[str, _Held] = {}

    async def observed(
        self, item: Object, pods: Iterable[Object], saved: Object | None, now: datetime
    ) -> DriftObserved | None:
        """What was counted up to now; None when nothing is watched, or nothing is known yet.
        `saved` is the ConfigMap that keeps it."""
        uid = item["metadata"]["uid"]
        found = watched(item)
        if found is None:
            self._held.pop(uid, None)
            return None
        status, spec = found
        held = self._window(uid, status, saved)
        if held is None or status.stable is None:
            return None
        second, number = now.timestamp(), str(status.stable.version)
        some = [p for p in pods if p["metadata"]["labels"].get(c.LABEL_VERSION) == number]
        look = _Look(item, spec, some, saved, second)
        if held.to < look.newest and not 0 <= second - held.asked < _AGAIN:
            held.asked = second
            await self._count(held, look)
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

    async def _count(self, held: _Held, look: _Look) -> None:
        version, spec = int(held.version.rpartition("-v")[2]), look.spec
        if held.told is None or (look.scraped and not held.told.places):
            held.told = await self._monitors.layout(version, look.pods)
        if held.told is None:
            return
        if not look.scraped:  # who asks pods needs no names of cells, which are half of the memory
            held.told = replace(held.told, places={})
        layout = held.told.layout
        if not layout.features:  # of an imported model
            held.window = empty(layout)
            return
        if held.window is None or (spec.fine and held.window.fine is None):
            held.window = held.resume(layout, kept.read(look.saved), fine=spec.fine)
        told, (begin, end) = held.told, look.piece(held.to, len(layout.cells.of))
        pages = await self._steps(told, version, look, begin, end)
        if pages and not any(page.layout == told.name for page in pages):
            # servers of another kind, which count something else
            held.told = held.window = held.hours.running = None
            return
        pages = look.fitting(told, pages)
        stop = _stop(pages)
        if begin < stop < end and spec.fine:  # fine bins are of a page as a whole
            pages = look.fitting(told, await self._steps(told, version, look, begin, stop))
        if stop > begin:
            pages = [page for page in pages if page.stop >= stop]
            cells = _blocks(pages, begin, stop, len(layout.cells.of), look.block)
            seen = counted(layout, cells, **_fine(pages))
            held.window, held.to = held.window.merged(seen), stop
            if spec.baseline != "training":
                held.hours.add(begin, stop, seen, layout, look.newest)
        elif look.newest - held.to > _PATIENCE and not look.scraped:
            held.to = look.newest  # nobody will tell any more

    async def _steps(
        self, told: Described, version: int, look: _Look, begin: int, end: int
    ) -> list[Steps]:
        """From who is to be asked; only what is of those seconds."""
        block, found = look.block, list[Steps]()
        if not look.scraped:
            found = await self._monitors.steps(
                version, look.pods, begin, end, block, fine=look.spec.fine
            )
        elif self._scraped is not None:
            found = await self._scraped.steps(look.item, version, told, begin, end, block)
        return [page for page in found if page.within(begin, end)]


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
        if len(page.cells) and page.start < stop:
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
