"""What truth has told of a version since some moment, as sums that add up and can be kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pawl.stats.drift.performance import Confusion

_NONE = Confusion()
_FEWEST = 8
#: Groups that are counted: the largest. Requests may name any.
_MOST_GROUPS = 64
T = TypeVar("T")


@dataclass(frozen=True)
class Tally:
    """From `start` up to `to` (epoch seconds). `labelled` answers whose truth came in, `wrong` of
    them; the errors of numbers as sums and as a `valuehist`; `groups`: rows and positive answers
    by group, whether their truth is known or not.

    `squares` are Σk², Σk·n and Σn² over the minutes, k wrong of n, and how many minutes there were:
    feedback comes in batches, and rows of a batch resemble each other.
    """

    start: int
    to: int
    labelled: int = 0
    wrong: int = 0
    confusion: Confusion = _NONE
    error: float = 0.0
    error_squares: float = 0.0
    errors: Mapping[int, int] = field(default_factory=dict)
    group_confusion: Mapping[str, Confusion] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    squares: tuple[int, int, int, int] = (0, 0, 0, 0)

    def merged(self, later: Tally) -> Tally:
        """With what came after it."""
        by_group = (self.group_confusion, later.group_confusion)
        names = self.groups.keys() | later.groups.keys()
        return Tally(
            self.start,
            later.to,
            self.labelled + later.labelled,
            self.wrong + later.wrong,
            added(self.confusion, later.confusion),
            self.error + later.error,
            self.error_squares + later.error_squares,
            dict(Counter(self.errors) + Counter(later.errors)),
            _largest(
                {
                    name: added(*(found.get(name, _NONE) for found in by_group))
                    for name in by_group[0].keys() | by_group[1].keys()
                },
                lambda confusion: sum(_list(confusion)),
            ),
            _largest(
                {name: _sum(self.groups.get(name), later.groups.get(name)) for name in names},
                lambda group: group[0],
            ),
            _four(a + b for a, b in zip(self.squares, later.squares, strict=True)),
        )

    def as_block(self) -> Tally:
        """One minute, in which rows resemble each other."""
        k, n = self.wrong, self.labelled
        return replace(self, squares=(k * k, k * n, n * n, 1) if n else (0, 0, 0, 0))

    @property
    def effect(self) -> float:
        """The design effect of the share of wrong answers (as in `stats.drift.effect`); at least 1,
        and 1 while there are too few minutes or errors to tell."""
        k2, kn, n2, blocks = self.squares
        n = self.labelled
        if blocks < _FEWEST or not 0 < self.wrong < n:
            return 1.0
        p = self.wrong / n
        scatter = max(k2 - 2 * p * kn + p * p * n2, 0.0)
        return max(blocks / (blocks - 1) * scatter / (n * p * (1 - p)), 1.0)

    def dump(self) -> str:
        """As JSON."""
        raw = {
            "start": self.start,
            "to": self.to,
            "labelled": self.labelled,
            "wrong": self.wrong,
            "confusion": _list(self.confusion),
            "error": [self.error, self.error_squares],
            "errors": {str(bin_): n for bin_, n in self.errors.items()},
            "groupConfusion": {name: _list(c) for name, c in self.group_confusion.items()},
            "groups": self.groups,
            "squares": self.squares,
        }
        return json.dumps(raw, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Tally:
        """A dumped one. ValueError when it is none."""
        try:
            raw: dict[str, Any] = json.loads(text)
            return cls(
                int(raw["start"]),
                int(raw["to"]),
                int(raw["labelled"]),
                int(raw["wrong"]),
                Confusion(*map(int, raw["confusion"])),
                float(raw["error"][0]),
                float(raw["error"][1]),
                {int(bin_): int(n) for bin_, n in raw["errors"].items()},
                {name: Confusion(*map(int, c)) for name, c in raw["groupConfusion"].items()},
                {name: (int(n), int(k)) for name, (n, k) in raw["groups"].items()},
                _four(map(int, raw["squares"])),
            )
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"not a tally: {error!r}") from error


def added(one: Confusion, other: Confusion) -> Confusion:
    """Both."""
    return Confusion(*(a + b for a, b in zip(_list(one), _list(other), strict=True)))


def _largest(groups: dict[str, T], rows: Callable[[T], int]) -> dict[str, T]:
    if len(groups) <= _MOST_GROUPS:
        return groups
    by_size = sorted(groups, key=lambda name: (-rows(groups[name]), name))
    return {name: groups[name] for name in by_size[:_MOST_GROUPS]}


def _list(confusion: Confusion) -> list[int]:
    return [confusion.tp, confusion.fp, confusion.fn, confusion.tn]


def _sum(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int]:
    (a, b), (c, d) = one or (0, 0), other or (0, 0)
    return a + c, b + d


def _four(numbers: Iterable[int]) -> tuple[int, int, int, int]:
    a, b, c, d = numbers
    return a, b, c, d
