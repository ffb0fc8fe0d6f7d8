"""Bins for answers whose values nobody knows beforehand: learnt from the first answers, then fixed.

Keys that are numbers are ordered bins of a histogram (`stats.valuehist`): when there are more than
FIFTEEN, neighbours are joined into at most TEN groups of about equal share. Keys that are names
(classes) are kept if they are among the largest FIFTEEN. One more group takes what comes later and
was not there before. A state holds names by their CRC, so its size does not depend on them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

TEN, FIFTEEN = 10, 15
_ROOM = 48  # distinct keys remembered while learning


@dataclass(frozen=True, slots=True)
class Groups:
    """`keys` are the last bins of the ordered groups, or the names' CRCs; `counts` what was learnt
    of each, the additional group last. Before `fixed` they are what was seen so far."""

    fixed: bool = False
    ordered: bool = True
    keys: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def seen(self) -> int:
        """Answers learnt from."""
        return sum(self.counts)

    def shares(self) -> list[float]:
        """Expected share of each group, none of them 0."""
        n = self.seen + 0.5 * len(self.counts)
        return [(count + 0.5) / n for count in self.counts]

    def count(self, answers: Mapping[str, int]) -> list[int]:
        """Answers per group."""
        found = [0] * (len(self.keys) + 1)
        for name, n in answers.items():
            found[self._place(name)] += n
        return found

    def _place(self, name: str) -> int:
        if not self.ordered:
            key = crc32(name.encode())
            return self.keys.index(key) if key in self.keys else len(self.keys)
        if not name.isdecimal():
            return len(self.keys)
        # the last ordered group is open
        return min(bisect_left(self.keys, int(name)), len(self.keys) - 1)


def learn(groups: Groups, answers: Mapping[str, int], enough: int) -> Groups:
    """The groups with more answers to learn from; fixed once there are `enough`."""
    ordered = groups.ordered and all(name.isdecimal() for name in answers)
    known = dict(zip(groups.keys, groups.counts, strict=False)) if ordered == groups.ordered else {}
    for name, n in answers.items():
        key = int(name) if ordered else crc32(name.encode())
        if n > 0:
            known[key] = known.get(key, 0) + n
    if sum(known.values()) < enough:
        return _made(False, ordered, _fewer(known, _ROOM, ordered))
    if ordered and len(known) > FIFTEEN:
        return _made(True, True, _quantiles(known))
    return _made(True, ordered, _fewer(known, FIFTEEN, ordered))


def _made(fixed: bool, ordered: bool, known: Mapping[int, int]) -> Groups:
    keys = tuple(sorted(known))
    return Groups(fixed, ordered, keys, (*(known[key] for key in keys), 0) if keys else ())


def _fewer(known: dict[int, int], most: int, ordered: bool) -> dict[int, int]:
    """At most that many keys: ordered ones join a neighbour, the smallest names are let go."""
    keys = sorted(known)
    while len(keys) > most:
        if ordered:
            at = min(range(len(keys) - 1), key=lambda i: known[keys[i]] + known[keys[i + 1]])
            known[keys[at + 1]] += known.pop(keys[at])
        else:
            at = min(range(len(keys)), key=lambda i: known[keys[i]])
            del known[keys[at]]
        del keys[at]
    return known


def _quantiles(known: Mapping[int, int]) -> dict[int, int]:
    """Groups of about a tenth each: one ends where its share of the whole is reached."""
    n = sum(known.values())
    groups: dict[int, int] = {}
    seen = taken = 0
    for key in sorted(known):
        seen += known[key]
        if seen * TEN >= (len(groups) + 1) * n or seen == n:
            groups[key] = seen - taken
            taken = seen
    return groups
