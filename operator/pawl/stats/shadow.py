"""Answers of two versions to the same requests, from the pairs that their servers sampled.

Both servers keep the requests with the smallest hashes of their ids (bottom-k per second), so what
both kept is a fair sample of all requests, and joins by id. A comparison is counts and sums of one
interval; comparisons add.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from pawl.stats import loghist, valuehist

Part = Literal["absolute", "relative"]
_FAILED = 400


class Pair(NamedTuple):
    """What one version answered to one request (its first row): hash of the id, second since 1970,
    class index, score or value, seconds it took, HTTP status."""

    id: int | str
    second: int
    label: int | None
    value: float | None
    latency: float
    status: int

    @property
    def failed(self) -> bool:
        """It was not answered with a prediction."""
        return self.status >= _FAILED


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of `pairs` requests that both versions were asked.

    `labelled` pairs have classes on both sides, `valued` ones numbers. `absolute` is the histogram
    (bins of `valuehist.LOG`) of |c − s|, `relative` that of |c − s| / max(|c|, |s|); `shift` and
    `shift_squares` sum c − s and its square. `latency` are `loghist`s, `seconds` their sums.
    """

    pairs: int = 0
    stable_errors: int = 0
    candidate_errors: int = 0
    labelled: int = 0
    disagreements: int = 0
    valued: int = 0
    absolute: Mapping[int, int] = field(default_factory=dict)
    relative: Mapping[int, int] = field(default_factory=dict)
    shift: float = 0.0
    shift_squares: float = 0.0
    stable_latency: Mapping[int, int] = field(default_factory=dict)
    candidate_latency: Mapping[int, int] = field(default_factory=dict)
    stable_seconds: float = 0.0
    candidate_seconds: float = 0.0
    stable_bins: tuple[int, ...] = ()
    candidate_bins: tuple[int, ...] = ()

    def __add__(self, other: Comparison) -> Comparison:
        """Of both intervals together; bins must be of the same edges."""
        return Comparison(
            **{f.name: _sum(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        )

    def above(self, part: Part, limit: float) -> tuple[int, int]:
        """(pairs with numbers, those that differ by more than `limit`); the limit is taken up to
        the next edge of a bin, less than 7 % higher."""
        counts = self.absolute if part == "absolute" else self.relative
        last = valuehist.index(limit, valuehist.LOG)
        return self.valued, sum(n for bucket, n in counts.items() if bucket > last)

    def quantile(self, part: Part, q: float) -> float | None:
        """The q-quantile of the differences, at most 7 % too high; None without any."""
        counts = self.absolute if part == "absolute" else self.relative
        wanted, seen = q * self.valued, 0
        for bucket in sorted(counts):
            seen += counts[bucket]
            if seen >= wanted:
                return _upper(bucket)
        return None

    @property
    def mean_shift(self) -> float | None:
        """Mean of candidate − stable; None without any."""
        return self.shift / self.valued if self.valued else None


def join(stable: Iterable[Pair], candidate: Iterable[Pair]) -> list[tuple[Pair, Pair]]:
    """Pairs of the same id, each id once.

    Retries repeat ids: of several answers of one version the first that did not fail counts, else
    the first.
    """
    ours, theirs = _once(stable), _once(candidate)
    return [(ours[key], theirs[key]) for key in sorted(ours.keys() & theirs.keys(), key=str)]


def compare(pairs: Iterable[tuple[Pair, Pair]], edges: Sequence[float] | None = None) -> Comparison:
    """The comparison of joined pairs. With `edges`, numbers are also counted per bin
    (edges[i−1], edges[i]], open at both ends, for both versions."""
    joined = list(pairs)
    answered = [(s, c) for s, c in joined if not s.failed and not c.failed]
    labels = [(s.label, c.label) for s, c in answered if None not in (s.label, c.label)]
    values = [
        (s.value, c.value) for s, c in answered if s.value is not None and c.value is not None
    ]
    shifts = [c - s for s, c in values]
    return Comparison(
        pairs=len(joined),
        stable_errors=sum(s.failed for s, _ in joined),
        candidate_errors=sum(c.failed for _, c in joined),
        labelled=len(labels),
        disagreements=sum(s != c for s, c in labels),
        valued=len(values),
        absolute=Counter(valuehist.index(abs(shift), valuehist.LOG) for shift in shifts),
        relative=Counter(valuehist.index(_relative(*pair), valuehist.LOG) for pair in values),
        shift=math.fsum(shifts),
        shift_squares=math.fsum(shift**2 for shift in shifts),
        stable_latency=Counter(loghist.index(s.latency) for s, _ in joined),
        candidate_latency=Counter(loghist.index(c.latency) for _, c in joined),
        stable_seconds=math.fsum(s.latency for s, _ in joined),
        candidate_seconds=math.fsum(c.latency for _, c in joined),
        stable_bins=_bins((s for s, _ in values), edges),
        candidate_bins=_bins((c for _, c in values), edges),
    )


def _once(pairs: Iterable[Pair]) -> dict[int | str, Pair]:
    found: dict[int | str, Pair] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.failed, pair.second)):
        found.setdefault(pair.id, pair)
    return found


def _relative(s: float, c: float) -> float:
    larger = max(abs(s), abs(c))
    return abs(c - s) / larger if larger else 0.0


def _bins(values: Iterable[float], edges: Sequence[float] | None) -> tuple[int, ...]:
    if edges is None:
        return ()
    counts = Counter(bisect_left(edges, value) for value in values)
    return tuple(counts[i] for i in range(len(edges) + 1))


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return loghist.merge([one, other])
    if isinstance(one, tuple):
        if not one or not other:
            return one or other
        return tuple(a + b for a, b in zip(one, other, strict=True))
    return one + other


def _upper(bucket: int) -> float:
    edges = valuehist.LOG
    return edges[min(bucket, len(edges) - 1)]
