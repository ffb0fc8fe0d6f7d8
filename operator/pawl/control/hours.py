"""What the stable version of a Deployment sees, by whole hours: counted along with the running
window, and held until the store has it.

The running hour is in memory only. An operator that starts anew goes on counting where the window
was kept, so the hour of its start may have fewer rows than there were; it is kept with those.
So may the hour in which the clock was set back: what was counted of it is forgotten, because
servers tell the same seconds once more. An hour that was closed stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pawl.core.watch.baseline import HOUR
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window

#: Hours that are held while the store is down.
_MOST = 48
#: Seconds of a clock that was set back a little: they are waited for.
_STEP = 300


@dataclass
class Hours:
    """Of one version. `closed` are over and not known to be in the store, as `Window.dump` gave
    them; `number` is that of the running one, since 1970, which is counted up to `to`."""

    number: int = 0
    to: int = 0
    running: Window | None = None
    closed: dict[int, bytes] = field(default_factory=dict)

    def add(self, begin: int, end: int, seen: Window, layout: Layout, newest: int) -> None:
        """What was counted in [begin, end), epoch seconds of one hour; `newest`: up to when all can
        be known. A window may begin anew; nothing is counted twice here for that."""
        if newest < self.to - _STEP:  # the clock was set back
            self.running, self.to = None, begin
        number = begin // HOUR
        if begin < self.to or number in self.closed:
            return
        if number != self.number:
            self._close(layout)
        self.number, self.to = number, end
        self.running = seen if self.running is None else self.running.merged(seen)
        if end % HOUR == 0:
            self._close(layout)

    def _close(self, layout: Layout) -> None:
        """An hour without rows is none."""
        if self.running is not None and self.running.rows:
            self.closed[self.number] = self.running.dump(layout)
            for number in sorted(self.closed)[:-_MOST]:
                del self.closed[number]
        self.running = None
