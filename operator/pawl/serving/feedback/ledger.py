"""Right and wrong, counted for the version that predicted, per second and minute of the feedback.

A process counts VERSIONS versions and GROUPS groups apart. A new one takes the place of one that
the rings no longer hold anything of; while there is none, a version is not counted, and a group
counts among the others. The place of the version that the pod serves is its own for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.serving.monitor import memory as m
from pawl.serving.monitor.memory import VALUES, Memory
from pawl.stats import valuehist

_STEPS = (1, 60)


@dataclass(frozen=True, slots=True)
class Judged:
    """The truth about one token. `made`: epoch second of the prediction; `wrong` of `n` labels, or
    the absolute errors of n values. `confusion`: labels of two classes, as `memory.CONFUSION`."""

    version: str
    kind: int
    made: int
    weight: int
    group: str | None
    n: int
    wrong: int = 0
    errors: tuple[float, ...] = ()
    confusion: tuple[int, ...] | None = None

    @property
    def tally(self) -> tuple[float, float, float]:
        """As `memory.TALLY` says."""
        if self.kind != VALUES:
            return self.n, self.wrong, 0.0
        return self.n, sum(self.errors), sum(error * error for error in self.errors)


class Ledger:
    """The feedback part of one process's block."""

    def __init__(self, memory: Memory, version: str) -> None:
        self._mine = memory.mine
        own = self._mine["versions"][0]
        if own["name"] != version.encode():
            own["name"] = version.encode()
        own["used"] = 2**62

    def add(self, judged: Judged, second: int) -> bool:
        """Counts it among the feedback of a second; whether it could."""
        place = self._version(judged.version, judged.kind, second)
        if place is None:
            return False
        tally = judged.tally
        age = age_bucket(second - judged.made)
        group = None if judged.group is None else self._group(judged.group, second)
        bins = [valuehist.index(error, valuehist.LOG) for error in judged.errors]
        for row in self._rows(place, second):
            row["all"] += tally
            row["ages"][age] += tally
            row["weights"][judged.weight] += tally
            if group is not None:
                row["groups"][group] += tally
            if judged.confusion is not None:
                row["confusion"][0] += judged.confusion
                if group is not None and group < m.GROUPS:
                    row["confusion"][1 + group] += judged.confusion
            for bin_ in bins:
                row["errors"][max(bin_ - m.FIRST_ERROR_BIN, 0)] += 1
        return True

    def late(self, version: str, kind: int, second: int) -> None:
        """Truth came for a token that had expired."""
        place = self._version(version, kind, second)
        if place is not None:
            for row in self._rows(place, second):
                row["late"] += 1

    def _rows(self, place: int, second: int) -> list[Any]:
        found = []
        for ring, step in enumerate(_STEPS):
            at = second // step * step
            index = at // step % m.RING
            row = self._mine["feedback"][place, ring, index]
            times = self._mine["feedback_at"][place, ring]
            if times[index] != at:
                _clear(row)
                times[index] = at
            found.append(row)
        return found

    def _version(self, version: str, kind: int, second: int) -> int | None:
        versions = self._mine["versions"]
        place, new = m.place_of(versions, version, second)
        if place is None:
            return None
        if new:
            self._mine["feedback_at"][place] = 0
        versions[place]["kind"] = kind
        return place

    def _group(self, group: str, second: int) -> int:
        place, _ = m.place_of(self._mine["groups"], group, second)
        return m.GROUPS if place is None else place


@dataclass(slots=True)
class _Sum:
    """The feedback for one version, summed."""

    kind: int = 0
    late: float = 0.0
    all: NDArray[Any] = field(default_factory=lambda: np.zeros(m.TALLY))
    ages: NDArray[Any] = field(default_factory=lambda: np.zeros((m.AGES, m.TALLY)))
    weights: NDArray[Any] = field(default_factory=lambda: np.zeros((m.PERCENTS, m.TALLY)))
    errors: NDArray[Any] = field(default_factory=lambda: np.zeros(m.ERROR_BINS))
    groups: dict[str, NDArray[Any]] = field(default_factory=dict)
    others: NDArray[Any] = field(default_factory=lambda: np.zeros(m.TALLY))
    confusion: NDArray[Any] = field(default_factory=lambda: np.zeros(len(m.CONFUSION)))
    confusions: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, rows: NDArray[Any], groups: list[str], kind: int) -> None:
        self.kind = kind
        self.late += rows["late"].sum()
        for name in ("all", "ages", "weights", "errors"):
            total: NDArray[Any] = getattr(self, name)
            total += rows[name].sum(axis=0)
        by_group = rows["groups"].sum(axis=0)
        self.others += by_group[m.GROUPS]
        confusion = rows["confusion"].sum(axis=0)
        self.confusion += confusion[0]
        for place, name in enumerate(groups):
            if by_group[place, 0]:
                self.groups[name] = self.groups.get(name, 0) + by_group[place]
                self.confusions[name] = self.confusions.get(name, 0) + confusion[1 + place]

    def told(self) -> dict[str, Any]:
        """As JSON."""
        # Processes may have seen different groups first; no more are told than one counts.
        by_size = sorted(self.groups, key=lambda name: (-self.groups[name][0], name))
        for name in by_size[m.GROUPS :]:
            self.others = self.others + self.groups[name]
        n, a, b = self.all.tolist()
        message: dict[str, Any] = {"n": int(n), "late": int(self.late)}
        if self.kind == VALUES:
            message |= {"sum": a, "squares": b}
            message["absoluteError"] = {
                str(bin_ + m.FIRST_ERROR_BIN): int(self.errors[bin_])
                for bin_ in np.flatnonzero(self.errors).tolist()
            }
        else:
            message["wrong"] = int(a)
        message["age"] = self._table({str(age_minutes(i)): row for i, row in enumerate(self.ages)})
        message["weights"] = self._table({str(i): row for i, row in enumerate(self.weights)})
        message["groups"] = self._table({name: self.groups[name] for name in by_size[: m.GROUPS]})
        message["otherGroups"] = self._tally(self.others)
        if self.confusion.any():
            message["confusion"] = _confusion(self.confusion)
            message["groupConfusion"] = {
                name: _confusion(self.confusions[name])
                for name in by_size[: m.GROUPS]
                if self.confusions[name].any()
            }
        return message

    def _table(self, rows: dict[str, NDArray[Any]]) -> dict[str, list[float]]:
        return {name: self._tally(row) for name, row in rows.items() if row[0]}

    def _tally(self, row: NDArray[Any]) -> list[float]:
        n, a, b = row.tolist()
        return [int(n), a, b] if self.kind == VALUES else [int(n), int(a)]


def told(blocks: NDArray[Any], seconds: tuple[int, int], minutes: tuple[int, int]) -> Any:
    """The `feedback` of a snapshot: by version, what came in [from, to) of both rings."""
    sums: dict[str, _Sum] = {}
    for block in blocks:
        groups = [name.decode() for name in block["groups"]["name"].tolist()]
        for place, version in enumerate(block["versions"]):
            for ring, (start, stop) in enumerate((seconds, minutes)):
                times = block["feedback_at"][place, ring]
                chosen = np.flatnonzero((times >= start) & (times < stop))
                if len(chosen):
                    total = sums.setdefault(bytes(version["name"]).decode(), _Sum())
                    rows = block["feedback"][place, ring, chosen]
                    total.add(rows, groups, int(version["kind"]))
    return {version: sums[version].told() for version in sorted(sums)}


def _confusion(counts: NDArray[Any]) -> dict[str, int]:
    return dict(zip(m.CONFUSION, map(int, counts), strict=True))


def age_bucket(seconds: float) -> int:
    """0: less than a minute; i: from 2^(i−1) minutes up to twice as much; the last is open."""
    return min(max(int(seconds // 60), 0).bit_length(), m.AGES - 1)


def age_minutes(bucket: int) -> int:
    """The least age of a bucket."""
    return 1 << bucket - 1 if bucket else 0


def _clear(row: Any) -> None:
    for name in m.FEEDBACK.names or ():
        row[name] = 0
