"""How much less rows say that come in bursts: the design effect δ, per feature, from a window.

n rows of which those of a block resemble each other say as much about a share as n/δ independent
ones. With p̂_k = X_k/n a ratio of sums over m blocks,

    var(p̂_k) = m/(m − 1) · Σ_b (X_bk − p̂_k·n_b)² / n²,       d_k = n·var(p̂_k) / (p̂_k(1 − p̂_k)),

and for all K bins together, the mean of the eigenvalues that Pearson's X² and the likelihood ratio
are multiplied by (Rao & Scott 1981, first order),

    δ = Σ_k (1 − p̂_k)·d_k / (K − 1).

m is Kish's effective number of blocks, n²/Σn_b²: the number of blocks if all have the same size,
and with it δ is free of bias for independent rows in blocks of any size. δ is never below 1.

For tests δ is *raised*. An estimate from few blocks may be low by chance: its upper 95 % bound is
δ·ν/χ²_ν(5 %) by Wilson & Hilferty (1931), with ν = m − 1 as if bins only moved together
(Satterthwaite's degrees of freedom lie between m − 1 and (m − 1)(K − 1)): 1.4·δ for the sixty
minutes of an hour. And where bins do move together, because values drift up and down from block to
block, eigenvalues differ, and far in the tail the largest one counts and not their mean. It is at
least the d of any split of the values in two, so δ is raised to the largest d of the shares
p_1 + … + p_k too. With fewer than EIGHT effective blocks nothing can be said about how rows
resemble each other; then each block counts as one row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window
from pawl.stats.metrics import Floats, Ints

EIGHT = 8
_Z = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Effect:
    """Per feature [F]: the estimate, and what tests divide by."""

    value: Floats
    raised: Floats


def none(layout: Layout) -> Effect:
    """Of independent rows."""
    one = np.ones(len(layout.features))
    return Effect(one, one)


def of_bins(window: Window, layout: Layout) -> Effect:
    """δ of the shares of a feature's bins."""
    at = layout.bin_cells
    n, n2 = (layout.bins.spread(whole[0]) for whole in (window.whole, window.whole2))
    x = window.counts[at]
    scatter = _scatter(x, window.squares[at], window.cross[at], n, n2)
    free = layout.bins.sum(x > 0) - 1
    mean = _over(layout.bins.sum(_over(scatter, x)), free)
    found = _estimated(mean, window.whole[0], window.whole2[0])
    return replace(found, raised=np.maximum(found.raised, _largest(window, layout, n, n2)))


def of_cells(window: Window, layout: Layout, features: Ints, cells: Ints) -> Effect:
    """d of the share of one cell in each of some features: of all rows for `missing`, else of those
    with a value."""
    which = np.where(layout.present[cells], 0, 1)
    n, n2 = window.whole[which, features], window.whole2[which, features]
    x = window.counts[cells]
    scatter = _scatter(x, window.squares[cells], window.cross[cells], n, n2)
    return _estimated(_over(scatter, x * (1.0 - _over(x, n))), n, n2)


def _largest(window: Window, layout: Layout, n: Floats, n2: Floats) -> Floats:
    """The largest d of a split between two bins, per feature; n and n2 are per bin."""
    x, cross = (
        layout.bins.running(part[layout.bin_cells]) for part in (window.counts, window.cross)
    )
    scatter = _scatter(x, window.running, cross, n, n2)
    d = _estimated(_over(scatter, x * (1.0 - _over(x, n))), n, n2).value
    return np.maximum.reduceat(d, layout.bins.start)


def _scatter(x: Floats, squares: Floats, cross: Floats, n: Floats, n2: Floats) -> Floats:
    """Σ_b (X_b − p̂·n_b)²."""
    p = _over(x, n)
    return np.maximum(squares - 2 * p * cross + p**2 * n2, 0.0)


def _estimated(found: Floats, n: Floats, n2: Floats) -> Effect:
    blocks = _over(n**2, n2)
    freedom = np.maximum(blocks, EIGHT) - 1.0
    value = np.maximum(found * (1.0 + 1.0 / freedom), 1.0)
    low = 1.0 - 2.0 / (9.0 * freedom) - _Z * np.sqrt(2.0 / (9.0 * freedom))
    as_blocks = np.maximum(_over(n, blocks), 1.0)
    few = blocks < EIGHT
    return Effect(np.where(few, as_blocks, value), np.where(few, as_blocks, value / low**3))


def _over(above: Floats, below: Floats) -> Floats:
    """above / below, 0 where nothing is below."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
