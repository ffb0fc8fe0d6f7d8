"""Watches what containers use: kills those over their memory limit, and tells CPU and memory.

One look at /proc serves all containers. Between two looks (0.5 s; 0.1 s while a container is
above half of its limit) a container may exceed its limit unseen: a limit here protects the
laptop, it is no security boundary.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pawl.local.node.usage import SessionUsage, by_session, processes, proportional

_CALM, _TENSE = 0.5, 0.1


@dataclass
class Watched:
    """One container's main process. `cpu_rate` is in cores, over the last look."""

    session: int
    limit: int | None  # bytes
    exceeded: Callable[[], None]
    cpu: float = 0.0
    cpu_rate: float = 0.0
    resident: int = 0


class Monitor:
    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._added = asyncio.Event()
        self._looked = 0.0

    def watch(self, session: int, limit: int | None, exceeded: Callable[[], None]) -> Watched:
        self._watched[session] = watched = Watched(session, limit, exceeded)
        self._added.set()
        return watched

    def forget(self, session: int) -> None:
        self._watched.pop(session, None)

    def usage(self, sessions: Iterable[int]) -> tuple[float, int]:
        """(cores used over the last look, resident bytes) of these sessions together."""
        found = [self._watched[session] for session in sessions if session in self._watched]
        return sum(w.cpu_rate for w in found), sum(w.resident for w in found)

    async def run(self) -> None:
        """Look until cancelled; sleeps while there is nothing to watch."""
        while True:
            if not self._watched:
                self._added.clear()
                await self._added.wait()
            tense = self._look(asyncio.get_running_loop().time())
            await asyncio.sleep(_TENSE if tense else _CALM)

    def _look(self, now: float) -> bool:
        elapsed = now - self._looked
        self._looked = now
        totals = by_session(self._watched, processes())
        tense = False
        for session, usage in totals.items():
            watched = self._watched[session]
            if watched.cpu and elapsed:
                watched.cpu_rate = max(usage.cpu - watched.cpu, 0.0) / elapsed
            watched.cpu, watched.resident = usage.cpu, usage.resident
            tense |= self._judge(watched, usage)
        return tense

    def _judge(self, watched: Watched, usage: SessionUsage) -> bool:
        """Report a container over its limit; True when it is close enough to look more often."""
        if watched.limit is None or usage.resident <= watched.limit // 2:
            return False
        if usage.resident > watched.limit and proportional(usage.pids) > watched.limit:
            self.forget(watched.session)
            watched.exceeded()
        return True
