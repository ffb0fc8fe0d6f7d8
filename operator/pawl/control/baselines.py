"""Reads what windows are compared with from the store: hours of live traffic, by the rules of
`core.watch.baseline`. They are read once for each window or version, and then held in memory.

A store that did not answer is left alone for a while; who needs it then has no baseline, and that
is said.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pawl.api.drift import DriftSpec
from pawl.control.hours import Hours
from pawl.control.kept_hours import KeptHours
from pawl.core.conditions import timestamp
from pawl.core.watch import DriftObserved
from pawl.core.watch.baseline import HOUR, NoBaseline, first_week, last_week, wanted
from pawl.errors import StoreError
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window, load

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
#: Seconds that a store is left alone, and between two tries to keep the same hour.
_AGAIN = 60.0
_NOTHING = range(0)


@dataclass
class _Known:
    """Of one version: its first hour, and the sum of the hours that were read last. `offered` were
    to be kept, at `offered_at`."""

    version: str
    layout: str
    fine: bool
    listed: bool = False
    first: int | None = None
    hours: range = _NOTHING
    reference: Window | None = None
    offered: frozenset[int] = frozenset()
    offered_at: float = 0.0


class Baselines:
    """By the uid of the Deployment."""

    def __init__(self, kept: KeptHours) -> None:
        self._kept = kept
        self._known: dict[str, _Known] = {}
        self._problem, self._failed_at = "", 0.0

    async def compared(
        self, item: Object, spec: DriftSpec, seen: DriftObserved, hours: Hours, end: int, now: float
    ) -> DriftObserved:
        """What was seen in a window that ends at `end` or later, with what it is compared with, and
        with the hours that are to be kept. `now` is in epoch seconds."""
        if spec.baseline == "training":
            return seen
        known, end = self._of(item["metadata"]["uid"], seen, spec), max(end, seen.to)
        if not 0 <= now - self._failed_at < _AGAIN:
            where = item["metadata"]["namespace"], item["metadata"]["name"], seen.version
            self._problem = ""
            try:
                await self._learn(known, where, hours)
                await self._sum(known, where, _needed(known, spec, seen, hours, end), seen.layout)
            except StoreError as error:
                self._problem, self._failed_at = str(error), now
        lack = self._lack(known, spec, _needed(known, spec, seen, hours, end))
        return replace(
            seen,
            reference=None if lack else known.reference,
            no_baseline=lack,
            hours={} if self._problem else _offered(known, spec, hours, now),
        )

    def forget(self, known: frozenset[str]) -> None:
        """All but the Deployments with these uids are gone."""
        self._known = {uid: held for uid, held in self._known.items() if uid in known}

    def _of(self, uid: str, seen: DriftObserved, spec: DriftSpec) -> _Known:
        known, wanted_ = self._known.get(uid), (seen.version, seen.layout.digest, spec.fine)
        if known is None or (known.version, known.layout, known.fine) != wanted_:
            known = self._known[uid] = _Known(*wanted_)
        return known

    async def _learn(self, known: _Known, where: tuple[str, str, str], hours: Hours) -> None:
        """The first hour, and what is in the store of those that were to be kept."""
        found = set() if known.first is None else {known.first}
        if not known.listed:
            found.update(await self._kept.hours(*where))
            known.listed = True
        if known.offered:
            there = await self._kept.kept(*where, known.offered)
            hours.closed = {n: data for n, data in hours.closed.items() if n not in there}
            known.offered = known.offered.difference(there)
            found.update(there)
        known.first = min(found, default=None)

    async def _sum(
        self, known: _Known, where: tuple[str, str, str], hours: range, layout: Layout
    ) -> None:
        """Only what is not in memory is read: a window that is extended has a few hours more."""
        if hours == known.hours:
            return
        if not known.hours or hours.start != known.hours.start or hours.stop < known.hours.stop:
            known.hours, known.reference = range(hours.start, hours.start), None
        more = await self._kept.kept(*where, range(known.hours.stop, hours.stop))
        for window in _loaded(more, layout, where, fine=known.fine):
            before = known.reference
            known.reference = window if before is None else before.merged(window)
        known.hours = hours

    def _lack(self, known: _Known, spec: DriftSpec, needed: range) -> NoBaseline | None:
        if not known.listed or known.hours != needed:
            text = f"the baseline cannot be read: {self._problem}"
            return NoBaseline("StoreUnreachable", text)
        if known.reference is not None:
            return None
        if spec.baseline == "sameHourLastWeek":
            text = "nothing is known of the same hours one week earlier"
        elif known.first is None:
            text = "the first hour of the baseline is being counted"
        elif needed:
            text = "no hour of the first week has counts of these bins"
        else:
            over = datetime.fromtimestamp(first_week(known.first).stop * HOUR, UTC)
            text = f"the first week is over at {timestamp(over)}"
        return NoBaseline("LearningBaseline", text)


def _needed(known: _Known, spec: DriftSpec, seen: DriftObserved, hours: Hours, end: int) -> range:
    """The hours of the baseline; none as long as it is being counted."""
    if spec.baseline == "sameHourLastWeek":
        return last_week(seen.start, end)
    if known.first is None:
        return _NOTHING
    week = first_week(known.first)
    over = seen.start >= week.stop * HOUR and not any(number in week for number in hours.closed)
    return week if over else _NOTHING


def _offered(known: _Known, spec: DriftSpec, hours: Hours, now: float) -> dict[int, bytes]:
    """The hours that are to be kept now."""
    hours.closed = {
        n: data for n, data in hours.closed.items() if wanted(spec.baseline, n, known.first)
    }
    again = not 0 <= now - known.offered_at < _AGAIN
    found = {n: data for n, data in hours.closed.items() if again or n not in known.offered}
    if found:
        known.offered, known.offered_at = frozenset(hours.closed), now
    return found


def _loaded(
    kept: Mapping[int, bytes], layout: Layout, where: tuple[str, str, str], *, fine: bool
) -> list[Window]:
    """Those that are of this layout, and have fine bins where they are needed."""
    found = []
    for hour, data in kept.items():
        try:
            window = load(layout, data)
        except ValueError as error:
            log.warning("hour %d of %s is of no use: %s", hour, "/".join(where), error)
            continue
        if window.fine is not None or not fine:
            found.append(window)
    return found
