"""Watches what containers use: kills those over their memory limit, and tells CPU and memory.

One look at /proc serves all containers. Between two looks (0.5 s; 0.1 s while a container is
above half of its limit) a container may exceed its limit unseen: a limit here protects the
laptop, it is no security boundary.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pawl.local.node.usage import SessionUsage, by_session, processes, proportional

WINDOW = 15.0  # seconds over which CPU is averaged, as metrics-server does
_CALM, _TENSE = 0.5, 0.1


@dataclass
class Watched:
    """One container's session. `samples` are (time, CPU seconds) of the last WINDOW seconds."""

    session: int
    limit: int | None  # bytes
    exceeded: Callable[[], None]
    samples: deque[tuple[float, float]] = field(default_factory=deque)
    resident: int = 0

    def add(self, now: float, usage: SessionUsage) -> None:
        self.resident = usage.resident
        self.samples.append((now, usage.cpu))
        while now - self.samples[0][0] > WINDOW and len(self.samples) > 2:
            self.samples.popleft()

    def cores(self) -> float | None:
        """CPU used over the window; None before there are samples a second apart."""
        if not self.samples:
            return None
        (begin, before), (end, after) = self.samples[0], self.samples[-1]
        return None if end - begin < 1 else max(after - before, 0.0) / (end - begin)


class Monitor:
    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._added = asyncio.Event()

    def watch(self, session: int, limit: int | None, exceeded: Callable[[], None]) -> Watched:
        self._watched[session] = watched = Watched(session, limit, exceeded)
        self._added.set()
        return watched

    def forget(self, session: int) -> None:
        self._watched.pop(session, None)

    def cores(self, sessions: Iterable[int]) -> float | None:
        """Cores that these sessions use together, averaged over WINDOW; None: not known yet."""
        known = (self._watched[session].cores() for session in sessions if session in self._watched)
        found = [cores for cores in known if cores is not None]
        return sum(found) if found else None

    async def run(self) -> None:
        """Look until cancelled; sleeps while there is nothing to watch."""
        while True:
            if not self._watched:
                self._added.clear()
                await self._added.wait()
            tense = self._look(asyncio.get_running_loop().time())
            await asyncio.sleep(_TENSE if tense else _CALM)

    def _look(self, now: float) -> bool:
        totals = by_session(self._watched, processes())
        tense = False
        for session, usage in totals.items():
            watched = self._watched[session]
            watched.add(now, usage)
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
