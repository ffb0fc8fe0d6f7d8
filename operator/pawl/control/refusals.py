"""Why a Job has no pods. The Job controller says that in events only: a quota is used up, a policy
or a missing PriorityClass refuses them. Where pods have been missing for a while, these are read.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pawl.control.kube import Kube, KubeError
from pawl.core.run_status import is_over

Object = Mapping[str, Any]
#: Seconds that pods may take to appear, and between two looks after that.
_PATIENCE, _PAUSE = 5.0, 10.0
#: The name in it is another one each time.
_BEGINNING = re.compile(r'^Error creating: (pods "[^"]*" is forbidden: )?')


@dataclass
class _Missing:
    """Of which Job pods are missing, when that is looked into, and what was found."""

    job: str
    again: float
    text: str = ""


class Refusals:
    """Of all TrainingJobs, by uid."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._missing: dict[str, _Missing] = {}

    def forget(self, uids: Collection[str]) -> None:
        """What was read for TrainingJobs that are not among `uids`."""
        self._missing = {uid: m for uid, m in self._missing.items() if uid in uids}

    async def of(self, uid: str, jobs: Iterable[Object], pods: Iterable[Object]) -> str:
        """Why one of the Jobs of a TrainingJob has too few pods, in the API server's words; empty
        while none has, or nobody says why."""
        lacking = _lacking(jobs, pods)
        if lacking is None:
            self._missing.pop(uid, None)
            return ""
        now, meta = asyncio.get_running_loop().time(), lacking["metadata"]
        known = self._missing.get(uid)
        if known is None or known.job != meta["uid"]:
            known = self._missing[uid] = _Missing(meta["uid"], now + _PATIENCE)
        if now >= known.again:
            known.again = now + _PAUSE
            try:
                known.text = await self._read(meta["namespace"], meta["uid"]) or known.text
            except KubeError:
                return known.text
        return known.text

    async def _read(self, namespace: str, job_uid: str) -> str:
        found = await self._kube.events(namespace, job_uid, "FailedCreate")
        newest = max(found, key=_time, default=None)
        return _BEGINNING.sub("", newest.get("message", "")) if newest is not None else ""


def _lacking(jobs: Iterable[Object], pods: Iterable[Object]) -> Object | None:
    """The first Job that should have more pods than there are, those that have ended included."""
    owners = (ref for pod in pods for ref in pod["metadata"].get("ownerReferences", ()))
    there = Counter(ref["uid"] for ref in owners if ref.get("controller"))
    return next(
        (
            job
            for job in jobs
            if not is_over(job)
            and not job["spec"].get("suspend")
            and there[job["metadata"].get("uid")] < job["spec"].get("parallelism", 1)
        ),
        None,
    )


def _time(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
