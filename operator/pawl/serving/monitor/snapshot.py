"""Sums over time and over the pod's processes, as the operator asks for them.

Whole seconds in [from, to). Only closed seconds count, so two askers agree and nothing is added to
a second once it was told. What is older than the ring of seconds comes from the ring of minutes;
then `from` moves up, and an end in that part down, to whole minutes: nothing outside of what was
asked is counted, and who goes on from the `to` of an answer counts everything once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.serving import counters as c
from pawl.serving.counters import Counters
from pawl.serving.feedback.ledger import told
from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.predictions import Scores

FORMAT = 1
#: Seconds after which a process that closes no second is not waited for.
_STUCK = 5


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds [start, stop); those before `fine` come from the minutes."""

    start: int
    fine: int
    stop: int


@dataclass(frozen=True, slots=True)
class About:
    """What is served, and since when (epoch seconds) there is this pod."""

    model: str
    version: str
    digest: str
    started: float

    def head(self, window: Window) -> dict[str, Any]:
        """What every answer begins with."""
        number = int(self.version) if self.version.isdecimal() else self.version
        return {
            "format": FORMAT,
            "model": self.model,
            "version": number,
            "digest": self.digest,
            "started": self.started,
            "from": window.start,
            "to": window.stop,
        }


class Snapshots:
    """Reads the memory; any process may."""

    def __init__(self, about: About, memory: Memory, counters: Counters) -> None:
        self._about = about
        self._blocks = memory.blocks
        self._counters = counters
        self._scores: Scores | None = None

    def install(self, scores: Scores) -> None:
        """There is a model from now on."""
        self._scores = scores

    def closed(self) -> int:
        """The second before which all is told."""
        closed = self._blocks["closed"][self._living()]
        if len(closed) == 0:
            return 0
        return int(closed[closed > closed.max() - _STUCK].min())

    def window(self, start: int | None, stop: int | None) -> Window:
        """What of it can be told; the last minute when nothing is said."""
        closed = self.closed()
        stop = closed if stop is None else min(stop, closed)
        start = stop - 60 if start is None else start
        started = int(self._about.started)
        start = max(start, started)
        oldest = closed - m.SECONDS
        if start >= oldest:
            return Window(start, start, max(start, stop))
        fine = _up_to_minute(oldest)
        # There is nothing in a pod's first minute before its start.
        first = started // 60 * 60 if start == started else _up_to_minute(start)
        start = max(first, _up_to_minute(closed - 60 * m.MINUTES))
        if stop < fine:
            stop = fine = stop // 60 * 60
        return Window(start, max(start, fine), max(start, stop))

    def monitor(self, window: Window) -> dict[str, Any]:
        """GET /monitor"""
        totals = self._sum("totals", window)
        scores = self._scores
        message = self._about.head(window) | {
            "young": bool(window.start < self._mature()),
            "requests": int(totals[m.REQUESTS]),
            "errors": int(totals[m.ERRORS]),
            "refused": int(totals[m.REFUSED]),
            "rows": int(totals[m.ROWS]),
            "predictions": int(totals[m.PREDICTIONS]),
            "latency": sparse(self._sum("latency", window)),
            "scoreKind": scores.score_kind if scores else None,
            "scores": self._sum("scores", window)[: scores.width].tolist() if scores else [],
            "edges": list(scores.edges) if scores else [],
            "categories": list(scores.categories) if scores else [],
            "valueKind": scores.value_kind if scores else None,
            "values": sparse(self._sum("values", window)),
        }
        seconds, minutes = (window.fine, window.stop), (window.start, window.fine)
        message["feedback"] = told(self._blocks, seconds, minutes)
        if totals[m.USERS]:
            users = self._sum("users", window)
            seen = np.flatnonzero(users[:, 0])
            message["users"] = np.column_stack([seen, users[seen]]).tolist()
        return message

    def pairs(self, window: Window) -> dict[str, Any]:
        """GET /pairs; only seconds that the ring of seconds still has."""
        start = max(window.start, self.closed() - m.SECONDS)
        window = Window(start, start, max(start, window.stop))
        places = self._blocks["sample"].reshape(-1)
        places = places[(places["at"] >= window.start) & (places["at"] < window.stop)]
        found: dict[int, dict[int, list[Any]]] = {}
        for place in places:
            second = int(place["at"])
            pairs = found.setdefault(second, {})
            for pair in place["pairs"][: int(place["count"])].tolist():
                pairs.setdefault(pair[0], _pair(second, pair))
        return self._about.head(window) | {
            "kind": self._scores.kind if self._scores else None,
            "pairs": [
                found[second][hash_]
                for second in sorted(found)
                for hash_ in sorted(found[second])[: m.SAMPLE]
            ],
        }

    def _living(self) -> list[int]:
        pids = self._counters.each(c.PID)[: len(self._blocks)]
        return [index for index, pid in enumerate(pids) if pid]

    def _mature(self) -> float:
        found = self._blocks["mature"][self._living()]
        return float(found.max()) if len(found) else float("inf")

    def _sum(self, name: str, window: Window) -> NDArray[np.int64]:
        """One array of the rows, summed."""
        minutes, seconds = (self._blocks[ring].reshape(-1) for ring in ("minutes", "seconds"))
        total: NDArray[np.int64] = _sum_of(minutes, name, window.start, window.fine)
        return total + _sum_of(seconds, name, window.fine, window.stop)


def _sum_of(rows: NDArray[Any], name: str, start: int, stop: int) -> NDArray[np.int64]:
    chosen = np.flatnonzero((rows["at"] >= start) & (rows["at"] < stop))
    total: NDArray[np.int64] = rows[name][chosen].sum(axis=0, dtype=np.int64)
    return total


def sparse(counts: NDArray[Any]) -> dict[str, int]:
    """A histogram without its zeros."""
    return {str(index): int(counts[index]) for index in np.flatnonzero(counts).tolist()}


def _pair(second: int, pair: tuple[int, int, float, float, int]) -> list[Any]:
    hash_, label, value, latency, status = pair
    return [
        hash_,
        second,
        None if label == m.NO_LABEL else label,
        value if np.isfinite(value) else None,
        latency,
        status,
    ]


def _up_to_minute(second: int) -> int:
    """The first minute that does not begin before."""
    return -(-second // 60) * 60
