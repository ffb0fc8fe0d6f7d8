"""What a model with 60 features of ten equal bins sees, hour by hour, counted by the minute.

Rows are either independent, or come in bursts: a user sends `burst` equal rows within a minute.
The mix is the same all the time, or it changes: `daily`, every feature's mix follows the hours of
the day, each with a phase of its own; `restless`, every minute has a mix of its own, and only over
hours they add up to the reference's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.metrics import Floats

FEATURES, BINS, CELLS, MINUTES = 60, 10, 12, 60
REFERENCE = 10_000
DAY, WEEK, MONTH = 24, 168, 720
PLACES = np.linspace(-1, 1, BINS)
_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(20)  # of the mean over a normal number
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

Cells = NDArray[np.uint32]


@dataclass(frozen=True)
class World:
    """`rows` an hour; `daily` and `restless` are half of the log odds between the outer bins, at
    the turn of the day and as a standard deviation."""

    rows: int
    burst: int = 1
    daily: float = 0.0
    restless: float = 0.0


def layout(counts: NDArray[np.int64]) -> Layout:
    """With these counts of the reference [features, bins]."""
    return Layout.of(
        Feature(f"f{i}", "numeric", [*row, 0, 0]) for i, row in enumerate(counts.tolist())
    )


def reference(world: World, generator: np.random.Generator) -> Layout:
    """Rows of a whole week, without bursts: training data are drawn by chance."""
    tilts = world.restless * np.sqrt(2) * _NODES[:, None, None]
    of_hours = [np.einsum("t,tfb->fb", _WEIGHTS, mixes(world, hour, tilts)) for hour in range(DAY)]
    return layout(generator.multinomial(REFERENCE, np.mean(of_hours, axis=0)))


def hours(world: World, generator: np.random.Generator, count: int) -> Iterator[Cells]:
    """Counts [minutes, cells] of one hour after the other."""
    for hour in range(count):
        if world.daily == world.restless == 0:
            yield even(world, generator)
        else:
            tilts = world.restless * generator.standard_normal((MINUTES, FEATURES, 1))
            yield drawn(world, generator, mixes(world, hour, tilts))


def mixes(world: World, hour: int, tilts: Floats) -> Floats:
    """Shares [..., features, bins] in an hour, tilted by [..., features or 1, 1]."""
    phase = np.arange(FEATURES)[:, None] / FEATURES
    daily = world.daily * np.sin(2 * np.pi * (hour / DAY + phase))
    shares = np.exp((daily + tilts) * PLACES)
    return shares / shares.sum(axis=-1, keepdims=True)


def even(world: World, generator: np.random.Generator) -> Cells:
    """An hour of equal shares, row by row."""
    users = world.rows // world.burst
    minute = generator.integers(0, MINUTES, (users, 1)) * (FEATURES * CELLS)
    bins = generator.integers(0, BINS, (users, FEATURES), dtype=np.uint8)
    at = minute + np.arange(FEATURES) * CELLS + bins
    counts = np.bincount(at.ravel(), minlength=MINUTES * FEATURES * CELLS)
    return (world.burst * counts).astype(np.uint32).reshape(MINUTES, -1)


def drawn(world: World, generator: np.random.Generator, shares: Floats) -> Cells:
    """An hour of the shares [features, bins] or [minutes, features, bins]."""
    users = world.rows // world.burst
    minutes = generator.multinomial(users, np.full(MINUTES, 1 / MINUTES))
    counts = np.zeros((MINUTES, FEATURES, CELLS), dtype=np.uint32)
    counts[:, :, :BINS] = world.burst * generator.multinomial(minutes[:, None], shares)
    return counts.reshape(MINUTES, -1)
