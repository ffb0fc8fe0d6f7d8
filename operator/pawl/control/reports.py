"""Reads what `train` tells in its log (`artifacts.reports`), each log now and then.

`intermediate` gives the values of trials, from the beginning of their logs; `percent` how far a fit
is, from the end of its log. What was heard is remembered by TrainingJob until `forget`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pawl.artifacts.reports import Reports, parse_progress, parse_reports
from pawl.control.kube import Kube, KubeError
from pawl.core.run_status import is_running, newest

Object = Mapping[str, Any]
#: Bytes of a log that are read, of its beginning and of its end; the end is of so many lines.
_MOST_LOG, _MOST_END, _LINES = 1 << 20, 1 << 16, 100
#: Seconds between two looks at a log, for intermediate values and for progress.
_PAUSE, _LONG_PAUSE = 2.0, 10.0


@dataclass(frozen=True)
class _Heard:
    """What a trial has reported, when it is asked again, and whether it was asked at its end."""

    reports: Reports = ()
    again: float = 0.0
    last: bool = False


@dataclass
class _Job:
    """Of one TrainingJob: its trials by number, and how far the fit of which pod is."""

    trials: dict[int, _Heard] = field(default_factory=dict)
    pod: str = ""
    percent: float | None = None
    again: float = 0.0


class TrainLogs:
    """Of all TrainingJobs, by uid."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._jobs: dict[str, _Job] = {}

    def forget(self, uids: Collection[str]) -> None:
        """What was read for TrainingJobs that are not among `uids`."""
        self._jobs = {uid: job for uid, job in self._jobs.items() if uid in uids}

    async def intermediate(
        self, uid: str, pods: Mapping[int, Object | None], over: Collection[int]
    ) -> dict[int, Reports]:
        """What trials have reported, by number: each is asked now and then, and once more when it
        is among those that are `over`. KubeError when a log cannot be read."""
        heard = self._jobs.setdefault(uid, _Job()).trials
        for number in set(heard) - set(pods):
            del heard[number]
        now = asyncio.get_running_loop().time()
        for number, pod in pods.items():
            before = heard.get(number, _Heard())
            if pod is None or before.last or (now < before.again and number not in over):
                continue
            meta = pod["metadata"]
            log = await self._kube.logs(meta["namespace"], meta["name"], "train", _MOST_LOG)
            found = parse_reports(log) or before.reports
            heard[number] = _Heard(found, now + _PAUSE, last=number in over)
        return {number: said.reports for number, said in heard.items()}

    async def percent(self, uid: str, pods: Iterable[Object]) -> float | None:
        """How far `train` says it is in the newest of `pods`; None while it does not run, or has
        not said. A node that does not answer holds nothing up."""
        pod = newest(pods)
        if pod is None or not is_running(pod, "train"):
            return None
        job, meta = self._jobs.setdefault(uid, _Job()), pod["metadata"]
        now = asyncio.get_running_loop().time()
        if job.pod != meta["uid"]:
            job.pod, job.percent, job.again = meta["uid"], None, 0.0
        if now >= job.again:
            job.again = now + _LONG_PAUSE
            try:
                log = await self._kube.logs(
                    meta["namespace"], meta["name"], "train", _MOST_END, tail=_LINES
                )
            except KubeError:
                return job.percent
            told = parse_progress(log)
            job.percent = job.percent if told is None else told
        return job.percent
