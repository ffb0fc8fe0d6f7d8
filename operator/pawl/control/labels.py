"""Counts what truth tells of the stable versions, block by block: feedback may reach any pod of any
version, so all of them are asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pawl import constants as c
from pawl.api.deployment import DeploymentStatus
from pawl.api.drift import DriftSpec
from pawl.control.monitors import Monitors
from pawl.control.snapshot import Feedback
from pawl.control.watched import watched
from pawl.core.conditions import parse_timestamp
from pawl.core.watch import kept, label_block
from pawl.core.watch.tally import Tally, added
from pawl.stats.drift.performance import Confusion

Object = Mapping[str, Any]
#: Seconds that pods may need to know all of a block, and between two tries while they do not.
_LAG, _AGAIN = 3, 10.0
#: As far back as servers remember.
_REMEMBERED = 118 * 60
_NONE = Confusion()


class Labels:
    """The running tallies, by the uid of the Deployment, each with the version that it is of."""

    def __init__(self, monitors: Monitors) -> None:
        self._monitors = monitors
        self._held: dict[str, tuple[str, Tally]] = {}
        self._asked: dict[str, float] = {}  # when their pods were asked last

    async def observed(
        self, item: Object, pods: Iterable[Object], saved: Object | None, now: datetime
    ) -> Tally | None:
        """What truth told up to now; None when nobody asks, or the window has not begun. `saved` is
        the ConfigMap that keeps it."""
        uid = item["metadata"]["uid"]
        found = watched(item)
        if found is None:
            self._held.pop(uid, None)
            return None
        status, spec = found
        stable = status.stable
        if stable is None or (spec.performance is None and spec.fairness is None):
            self._held.pop(uid, None)
            return None
        held = self._running(uid, status, saved)
        if held is None:
            return None
        second, block = now.timestamp(), label_block(spec)
        end = int(second - _LAG) // block * block
        asked = self._asked.get(uid, 0.0)
        if held.to + block <= end and not 0 <= second - asked < _AGAIN:
            self._asked[uid] = second
            begin = max(held.to, end - _REMEMBERED)
            held = held.merged(await self._counted(stable.version, list(pods), begin, end, spec))
        self._held[uid] = stable.name, held
        return held

    def forget(self, known: frozenset[str]) -> None:
        """All but the Deployments with these uids are gone."""
        self._held = {uid: held for uid, held in self._held.items() if uid in known}
        self._asked = {uid: asked for uid, asked in self._asked.items() if uid in known}

    def _running(self, uid: str, status: DeploymentStatus, saved: Object | None) -> Tally | None:
        """The one that status speaks of, or, without a status, the one that was kept."""
        assert status.stable is not None  # noqa: S101
        name, drift = status.stable.name, status.drift
        tally = kept.tally(saved, name)
        if drift is not None and drift.version == name and drift.labels is not None:
            start = int(parse_timestamp(drift.labels.window_start).timestamp())
        elif tally is not None:
            start = tally.start
        else:
            return None
        version, held = self._held.get(uid, ("", None))
        if held is not None and (version, held.start) == (name, start):
            return held
        return tally if tally is not None and tally.start == start else Tally(start, start)

    async def _counted(
        self, version: int, pods: list[Object], begin: int, end: int, spec: DriftSpec
    ) -> Tally:
        by_version: dict[int, list[Object]] = {}
        for pod in pods:
            number = pod["metadata"]["labels"].get(c.LABEL_VERSION, "")
            if number.isdigit():
                by_version.setdefault(int(number), []).append(pod)
        block = label_block(spec)
        found, end = await self._monitors.feedback(by_version, version, begin, end, block)
        tally = _tally(found, begin, end).as_block()
        if spec.fairness is None or end == begin:
            return tally
        pages = await self._monitors.steps(
            version, by_version.get(version, []), begin, end, block, fine=False
        )
        groups: dict[str, tuple[int, int]] = {}
        for page in pages:
            for name, (n, positive) in page.groups.items():
                before = groups.get(name, (0, 0))
                groups[name] = before[0] + n, before[1] + positive
        return tally.merged(Tally(begin, end, groups=groups))


def _tally(found: list[Feedback], begin: int, end: int) -> Tally:
    """Feedback added up."""
    errors: Counter[int] = Counter()
    by_group: dict[str, Confusion] = {}
    confusion = _NONE
    for told in found:
        errors.update(told.absolute_error)
        confusion = added(confusion, told.confusion or _NONE)
        for name, group in told.groups.items():
            by_group[name] = added(by_group.get(name, _NONE), group)
    return Tally(
        begin,
        end,
        labelled=sum(told.labelled for told in found),
        wrong=sum(told.wrong for told in found),
        confusion=confusion,
        error=sum(told.total for told in found),
        error_squares=sum(told.squares for told in found),
        errors=dict(errors),
        group_confusion=by_group,
    )
