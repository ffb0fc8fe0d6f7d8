"""The kubelet's back-off: 10 s doubling to 5 min, forgotten after 10 min without a failure.

Source: pkg/kubelet/kuberuntime (doBackOff) and client-go util/flowcontrol Backoff. The first
restart is immediate; the n-th waits 10·2^(n−2) s from the moment the container finished.
"""

from dataclasses import dataclass


@dataclass
class Backoff:
    """Seconds are of any one monotonic clock."""

    initial: float = 10.0
    maximum: float = 300.0
    _current: float = 0.0
    _started: float = 0.0

    def delay(self, finished: float) -> float:
        """How long after `finished` the next start has to wait. Does not count a start."""
        if finished - self._started > 2 * self.maximum:
            self._current = 0.0
        return self._current

    def count(self, now: float) -> None:
        """A start after a failure happens at `now`: the next one waits twice as long."""
        doubled = self._current * 2 if self._current else self.initial
        self._current = min(doubled, self.maximum)
        self._started = now


def spoken(seconds: float) -> str:
    """A duration as Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
