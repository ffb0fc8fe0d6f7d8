"""Quantile bins and category tables of a reference sample: what drift is later measured against.

Bins have open ends: k edges make k+1 bins, bin i is (edges[i-1], edges[i]], so every number falls
into exactly one. Edges are values of the sample (inverted empirical distribution), ascending and
distinct; an edge equal to the maximum would leave its bin empty and is dropped. Coarse edges are a
subset of the fine ones, so coarse counts are sums of fine counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pawl.stats.metrics import Floats, Ints

COARSE_BINS = 10
FINE_BINS = 80  # ≥ 64, and a multiple of COARSE_BINS


@dataclass(frozen=True, slots=True)
class NumericBins:
    """Counts per bin; `fine_sums[i]` is the sum of the values in fine bin i."""

    edges: Floats
    counts: Ints
    fine_edges: Floats
    fine_counts: Ints
    fine_sums: Floats
    minimum: float
    maximum: float
    missing: int


def numeric_bins(values: Floats) -> NumericBins:
    """Bins of a sample; NaN is missing. All missing gives one empty bin over [0, 0]."""
    present = np.sort(values[~np.isnan(values)])
    missing = len(values) - len(present)
    edges = quantile_edges(present, COARSE_BINS)
    fine = quantile_edges(present, FINE_BINS)
    index = np.searchsorted(fine, present, side="left")
    return NumericBins(
        edges=edges,
        counts=bin_counts(present, edges),
        fine_edges=fine,
        fine_counts=np.bincount(index, minlength=len(fine) + 1).astype(np.int64),
        fine_sums=np.bincount(index, present, len(fine) + 1).astype(np.float64),
        minimum=float(present[0]) if len(present) else 0.0,
        maximum=float(present[-1]) if len(present) else 0.0,
        missing=missing,
    )


def quantile_edges(present: Floats, bins: int) -> Floats:
    """At most bins − 1 edges at the i/bins quantiles of a sorted sample without NaN."""
    if len(present) == 0:
        return np.empty(0)
    at = -(-np.arange(1, bins) * len(present) // bins) - 1  # ceil(i·n/bins) - 1
    edges = np.unique(present[np.clip(at, 0, None)])
    return np.asarray(edges[edges < present[-1]], dtype=np.float64)


def bin_counts(values: Floats, edges: Floats) -> Ints:
    """Counts of values (no NaN) in the bins (edges[i-1], edges[i]]."""
    index = np.searchsorted(edges, values, side="left")
    return np.bincount(index, minlength=len(edges) + 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class CategoryTable:
    """The most frequent categories, by count then name; the rest known is `other`."""

    categories: tuple[str, ...]
    counts: tuple[int, ...]
    other: int
    missing: int


def category_table(
    counts: Iterable[tuple[str, int]], *, missing: int, most: int = 256
) -> CategoryTable:
    """A table from (category, count) pairs."""
    ranked = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    kept = ranked[:most]
    return CategoryTable(
        categories=tuple(name for name, _ in kept),
        counts=tuple(count for _, count in kept),
        other=sum(count for _, count in ranked[most:]),
        missing=missing,
    )
