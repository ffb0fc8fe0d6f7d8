"""Detection: the share of features found by one window, of a known true index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.drifts import traffic
from benchmarks.drifts.months import RULES, failed, plain_psi, plain_shares
from benchmarks.drifts.traffic import BINS, FEATURES, MONTH, PLACES, REFERENCE, World
from pawl.stats.drift.decision import judge
from pawl.stats.drift.window import counted
from pawl.stats.metrics import Floats

EVEN = np.full(BINS, 1 / BINS)
#: How a feature changes, by a strength.
SHAPES: dict[str, Callable[[float], Floats]] = {
    "moved": lambda by: np.exp(by * PLACES),
    "wider": lambda by: np.exp(by * PLACES**2),
    "one bin grows": lambda by: np.exp(by * (np.arange(BINS) == 3)),
    "two bins go": lambda by: np.exp(-by * (np.arange(BINS) < 2)),
}


@dataclass(frozen=True)
class Found:
    """Shares of features."""

    ours: float
    thumb: float  # PSI > 0.2


def shifted(shape: str, index: float) -> Floats:
    """The mix of this shape with this true index."""
    low, high = 0.0, 20.0
    for _ in range(60):
        by = (low + high) / 2
        p = SHAPES[shape](by) / SHAPES[shape](by).sum()
        far = float(np.sum((p - EVEN) * np.log(p / EVEN)))
        low, high = (by, high) if far < index else (low, by)
    return p


def detection(world: World, shape: str, index: float, trials: int, seed: int) -> Found:
    """Of `trials` hours in which every feature has changed."""
    generator = np.random.default_rng(seed)
    mix = np.tile(shifted(shape, index), (FEATURES, 1))
    ours = thumb = 0
    for _ in range(trials):
        layout = traffic.layout(generator.multinomial(REFERENCE, EVEN, FEATURES))
        window = counted(layout, traffic.drawn(world, generator, mix))
        ours += failed(judge(window, layout, RULES, windows=MONTH))
        counts, theirs = window.counts[layout.bin_cells], layout.reference[layout.bin_cells]
        thumb += int(np.count_nonzero(plain_psi(counts[None], plain_shares(theirs)) > 0.2))
    return Found(ours / trials / FEATURES, thumb / trials / FEATURES)
