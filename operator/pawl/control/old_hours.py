"""Deletes the hours of live traffic that no window can be compared with any more (`core.watch.
baseline`): those that are too old, those of versions that are neither served nor were served last
before, and those of Deployments that are gone. Only hours of this installation are looked at, and
only in the namespaces that it looks after; nothing else of the store is.

The first look is hours after the start: when a cluster is rebuilt, objects come after the operator.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pawl.api.drift import DriftSpec
from pawl.control.kept_hours import KeptHours
from pawl.control.watched import watched
from pawl.core.watch.baseline import is_past, needless
from pawl.errors import StoreError

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
_EVERY = 6 * 3600.0
#: The newest champions: a rollback goes back to the last but one.
_AGAIN = 2


class OldHours:
    """Of one installation; `namespaces` empty: all."""

    def __init__(self, kept: KeptHours, namespaces: tuple[str, ...]) -> None:
        self._kept = kept
        self._namespaces = namespaces

    async def run(self, deployments: Callable[[], Iterable[Object]]) -> None:
        """Sweeps until cancelled; what fails is tried again next time."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.sweep(deployments, datetime.now(UTC).timestamp())
            except StoreError as error:
                log.warning("old hours are still in the store: %s", error)

    async def sweep(self, deployments: Callable[[], Iterable[Object]], now: float) -> None:
        """Deletes what is not needed at `now` (epoch seconds). StoreError."""
        kept = await self._kept.windows()
        # Afterwards: what was written meanwhile is of Deployments that are known.
        known = {
            (item["metadata"]["namespace"], item["metadata"]["name"]): item
            for item in deployments()
        }
        for (namespace, name, version), hours in kept.items():
            if self._namespaces and namespace not in self._namespaces:
                continue
            old = _old(known.get((namespace, name)), version, hours, now)
            if old:
                await self._kept.drop(namespace, name, version, old)
                about = {"object": f"Deployment/{namespace}/{name}", "hours": len(old)}
                log.info("hours of %s are not needed any more", version, extra={"fields": about})


def _old(item: Object | None, version: str, hours: list[int], now: float) -> list[int]:
    """Those of a version that may go. What cannot be read needs all."""
    gone = hours if is_past(hours, now) else []
    if item is None:
        return gone
    found = watched(item)
    if found is None:
        return [] if item["spec"].get("drift") else needless(DriftSpec(), hours, now)
    status, spec = found
    if status.stable is None:
        return []
    served = {status.stable.name, *(share.version for share in status.traffic)}
    served.update(entry.version for entry in status.history[:_AGAIN])
    return needless(spec, hours, now) if version in served else gone
