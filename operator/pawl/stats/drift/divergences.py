"""How far apart are the shares p of a window and q of the reference?

    psi          Σ (p − q)·ln(p/q), 0.5 added to every cell: the population stability index (Siddiqi
                 2006). It is the sum of both Kullback–Leibler divergences (Jeffreys 1946).
    js           √JS, JS = ½·Σ p·ln(p/a) + ½·Σ q·ln(q/a), a = (p + q)/2: the Jensen–Shannon distance
                 to base e (Lin 1991; a metric: Endres & Schindelin 2003), 0 … 0.83
    chi2         √(½·Σ (p − q)²/(p + q)): Cramér's V (1946) of the table of two samples, as it is
                 when both have equally many rows, 0 … 1. That of the counts at hand would change
                 with the traffic: 1,000 rows against 10,000 give 0.58 of it.
    ks           max |P − Q|, over the ends of the fine bins (Kolmogorov 1933, Smirnov 1939)
    wasserstein  ∫ |P − Q| over the reference's standard deviation: how far values moved. Rows of a
                 fine bin are placed at their mean, and the deviation is that of these means.

`js`, `chi2` and √psi grow alike: for small differences psi = 8·js² = 4·chi2². Chance alone adds
(K − 1)(δ/n + 1/m) to psi, over 8 to js², over 4 to chi2², which `corrected` takes off; ks and
wasserstein have no such term where there is drift, and little without it is of no harm.

Default thresholds are those in use. They do not mean the same: a normal feature reaches them when
its mean moves by this many standard deviations.

    psi 0.2: 0.46      js 0.1: 0.29      chi2 0.1: 0.21      ks 0.1: 0.25      wasserstein 0.1: 0.10

Functions take a `Ragged` of bins, counts of the window and of the reference, and give one number
per feature; features without rows give 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from pawl.stats.drift.homogeneity import relative, shares
from pawl.stats.drift.layout import Layout, Ragged
from pawl.stats.drift.window import Window
from pawl.stats.metrics import Floats

Metric = Literal["psi", "js", "chi2", "ks", "wasserstein"]

DEFAULTS: dict[str, float] = {"psi": 0.2, "js": 0.1, "chi2": 0.1, "ks": 0.1, "wasserstein": 0.1}
#: Metrics of ordered values that ten bins are too coarse for.
FINE: frozenset[Metric] = frozenset({"ks", "wasserstein"})
_ADDED = 0.5


def psi(bins: Ragged, window: Floats, reference: Floats, *, added: float = _ADDED) -> Floats:
    """With `added` 0 it is the plain index, infinite where one side of a bin is empty. Bins that
    are empty on both sides do not exist."""
    used = (window > 0) | (reference > 0)
    p, q = (shares(bins, np.where(used, part + added, 0.0)) for part in (window, reference))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (p - q) * np.log(p / q)
    return bins.sum(np.where(used, terms, 0.0)) * _there(bins, window, reference)


def js(bins: Ragged, window: Floats, reference: Floats) -> Floats:
    """The distance, not its square."""
    p, q = shares(bins, window), shares(bins, reference)
    middle = (p + q) / 2
    both = bins.sum(relative(p, middle) + relative(q, middle)) / 2
    return np.sqrt(np.maximum(both, 0.0)) * _there(bins, window, reference)


def chi2(bins: Ragged, window: Floats, reference: Floats) -> Floats:
    """Cramér's V of samples of one size."""
    p, q = shares(bins, window), shares(bins, reference)
    terms = np.divide((p - q) ** 2, p + q, out=np.zeros_like(p), where=p + q > 0)
    return np.sqrt(bins.sum(terms) / 2) * _there(bins, window, reference)


def ks(fine: Ragged, window: Floats, reference: Floats) -> Floats:
    """The distance of Kolmogorov and Smirnov, within the share of one fine bin."""
    apart = np.abs(_apart(fine, window, reference))
    found = np.zeros(fine.rows)
    np.maximum.at(found, fine.of, apart)
    return found * _there(fine, window, reference)


def wasserstein(
    fine: Ragged, window: Floats, reference: Floats, sums: Floats, reference_sums: Floats
) -> Floats:
    """In standard deviations of the reference; ∞ when those are 0 and something moved."""
    used = (window > 0) | (reference > 0)
    of, a, b = fine.of[used], window[used], reference[used]
    mean_a, mean_b = _mean(sums[used], a), _mean(reference_sums[used], b)
    # a bin that one side does not have begins and ends where the other has its rows
    here, there = np.where(a > 0, mean_a, mean_b), np.where(b > 0, mean_b, mean_a)
    apart = _apart(fine, window, reference)[used]
    p, q = shares(fine, window)[used], shares(fine, reference)[used]
    first = np.where(here < there, apart + q, apart - p)  # within a bin, after its first point
    low, high = np.minimum(here, there), np.maximum(here, there)
    same = np.diff(of, append=-1) == 0
    with np.errstate(invalid="ignore"):  # an infinite value is infinitely far away
        inside = np.abs(first) * (high - low)
        gap = np.maximum(np.append(low[1:], 0.0) - high, 0.0)
        between = np.where(same, np.abs(apart) * gap, 0.0)
        moved = np.bincount(of, inside + between, fine.rows) * _there(fine, window, reference)
    moved[np.isnan(moved)] = np.inf
    spread = _deviation(fine, reference, reference_sums)
    away = np.where(moved > 0, np.inf, 0.0)
    return np.divide(moved, spread, out=away, where=spread > 0)


def measured(metric: Metric, window: Window, layout: Layout, reference: Window | None) -> Floats:
    """The metric of every feature [F], uncorrected. ValueError when it needs fine bins that the
    window or the reference does not have."""
    if metric not in FINE:
        at = layout.bin_cells
        theirs = layout.reference if reference is None else reference.counts
        function = {"psi": psi, "js": js, "chi2": chi2}[metric]
        return function(layout.bins, window.counts[at], theirs[at])
    counts, sums = window.fine, window.fine_sums
    base: tuple[Floats | None, Floats | None] = (layout.fine_reference, layout.fine_sums)
    if reference is not None:
        base = reference.fine, reference.fine_sums
    if counts is None or sums is None or base[0] is None or base[1] is None:
        raise ValueError(f"{metric} needs the counts of the fine bins")
    if metric == "ks":
        return ks(layout.fine, counts, base[0])
    return wasserstein(layout.fine, counts, base[0], sums, base[1])


def corrected(metric: Metric, value: Floats, chance: Floats) -> Floats:
    """Without what chance alone adds, from `chance` = (K − 1)(δ/n + 1/m); not below 0."""
    if metric == "psi":
        return np.maximum(value - chance, 0.0)
    if metric in FINE:
        return value
    part = 8.0 if metric == "js" else 4.0
    return np.sqrt(np.maximum(value**2 - chance / part, 0.0))


def _apart(fine: Ragged, window: Floats, reference: Floats) -> Floats:
    """P − Q at the end of every bin."""
    return fine.running(shares(fine, window) - shares(fine, reference))


def _there(bins: Ragged, window: Floats, reference: Floats) -> Floats:
    """1 where both sides have rows, else 0."""
    return ((bins.sum(window) > 0) & (bins.sum(reference) > 0)).astype(np.float64)


def _mean(sums: Floats, counts: Floats) -> Floats:
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


def _deviation(fine: Ragged, counts: Floats, sums: Floats) -> Floats:
    """The standard deviation of the means of the fine bins."""
    n = np.maximum(fine.sum(counts), 1.0)
    centred = _mean(sums, counts) - fine.spread(fine.sum(sums) / n)
    return np.sqrt(fine.sum(counts * centred**2) / n)
