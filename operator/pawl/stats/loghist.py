"""Mergeable histograms of durations: buckets that grow by 5 %, so a quantile is off by at most 5 %.

Bucket i holds (BASE·GROWTH^(i−1), BASE·GROWTH^i] seconds. Bucket 0 also holds everything shorter
(from 0 to 100 µs), the last one (SIZE − 1, above about 94 s) is open. A histogram is a mapping from
bucket to count without zeros; two of them merge by adding, so quantiles of many pods and of any
time span come from sums. The same edges everywhere are part of the wire format: `{"37": 120}`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

BASE = 100e-6
GROWTH = 1.05
SIZE = 284

Counts = Mapping[int, int]

UPPERS = tuple(BASE * GROWTH**i for i in range(SIZE - 1))


def index(seconds: float) -> int:
    """The bucket of a duration; `index(upper(i)) == i` exactly."""
    return bisect_left(UPPERS, seconds)


def upper(bucket: int) -> float:
    """The longest duration of a bucket, seconds; infinity for the last."""
    return UPPERS[bucket] if bucket < SIZE - 1 else float("inf")


def lower(bucket: int) -> float:
    """What every duration of a bucket exceeds, seconds."""
    return UPPERS[bucket - 1] if bucket > 0 else 0.0


def total(counts: Counts) -> int:
    """Number of observations."""
    return sum(counts.values())


def merge(histograms: Iterable[Counts]) -> dict[int, int]:
    """The histogram of all observations together."""
    merged: dict[int, int] = {}
    for counts in histograms:
        for bucket, count in counts.items():
            merged[bucket] = merged.get(bucket, 0) + count
    return merged


def quantile(counts: Counts, q: float) -> float:
    """The q-quantile in seconds, geometrically interpolated inside its bucket.

    Off by at most a factor GROWTH. The open bucket answers with its lower end, bucket 0 with a
    share of BASE. ValueError without observations.
    """
    n = total(counts)
    if n == 0:
        raise ValueError("an empty histogram has no quantile")
    wanted, seen = q * n, 0
    for bucket in sorted(counts):
        count = counts[bucket]
        if count > 0 and seen + count >= wanted:
            return _inside(bucket, max(wanted - seen, 0.0) / count)
        seen += count
    return lower(max(bucket for bucket, count in counts.items() if count > 0))


def share_above(counts: Counts, seconds: float) -> float:
    """How many observations are longer than `seconds`: exact where that is an `upper(i)`, else the
    bucket it lies in is split evenly."""
    bucket = index(seconds)
    inside = counts.get(bucket, 0)
    if inside == 0 or bucket == SIZE - 1:
        return float(count_above(counts, bucket) + inside)
    if bucket == 0:
        part = max(seconds, 0.0) / UPPERS[0]
    else:
        part = (seconds - lower(bucket)) / (upper(bucket) - lower(bucket))
    return count_above(counts, bucket) + inside * (1.0 - part)


def count_above(counts: Counts, bucket: int) -> int:
    """How many observations are longer than `upper(bucket)`."""
    return sum(count for i, count in counts.items() if i > bucket)


def to_wire(counts: Counts) -> dict[str, int]:
    """JSON form, ascending, without zeros."""
    return {str(bucket): counts[bucket] for bucket in sorted(counts) if counts[bucket]}


def from_wire(wire: Mapping[str, int]) -> dict[int, int]:
    """The histogram of a JSON form. ValueError for a bucket or a count that cannot be."""
    counts = {int(bucket): int(count) for bucket, count in wire.items() if count}
    if any(not 0 <= bucket < SIZE or count < 0 for bucket, count in counts.items()):
        raise ValueError("a histogram has buckets 0…283 and counts that are not negative")
    return counts


def _inside(bucket: int, part: float) -> float:
    if bucket == 0:
        return BASE * part
    if bucket == SIZE - 1:
        return lower(bucket)
    return float(lower(bucket) * GROWTH**part)
