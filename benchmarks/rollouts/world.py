"""The traffic of many rollouts: 100 requests a second, looked at every 5 seconds.

The candidate's weight follows a schedule of (weight, intervals); the last weight holds. Stable's
error rate is a function of the interval. With `Sticky`, 5,000 users send 20 requests each in the
course of a rollout, a user's requests resemble one another (intraclass correlation 0.05 of errors
and of wrong predictions, and alike for latency; half of the scores are the user's own), and the
candidate serves those users whose hash is below its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from benchmarks.rollouts.twin import Counts, Floats, Ints

REQUESTS = 500  # per interval
BINS = 10
SPREAD = 0.5  # of log latency
MEDIAN = 0.020
WRONG, REFUSED, LABELLED = 0.10, 0.02, 0.5

Schedule = tuple[tuple[float, int], ...]
#: 3,000 canary requests at 5 %, 3,000 at 25 %, the rest at 50 %
STEPS: Schedule = ((0.05, 120), (0.25, 24), (0.5, 0))
ALWAYS_5: Schedule = ((0.05, 0),)
ALWAYS_50: Schedule = ((0.5, 0),)
MOST_CANARY = 20_000


def weight_at(schedule: Schedule, interval: int) -> float:
    for weight, length in schedule[:-1]:
        if interval < length:
            return weight
        interval -= length
    return schedule[-1][0]


def intervals(schedule: Schedule) -> int:
    """How many it takes to send 20,000 requests to the canary."""
    sent, count = 0.0, 0
    while sent < MOST_CANARY:
        sent += REQUESTS * weight_at(schedule, count)
        count += 1
    return count


def constant(_: float) -> float:
    return 0.01


def moving(part: float) -> float:
    """0.5 % to 2 % in the course of the rollout."""
    return 0.005 + 0.015 * part


def jumping(part: float) -> float:
    """0.5 %, and 2 % from one moment in the first step on."""
    return 0.005 if part < 0.3 else 0.02


@dataclass(frozen=True)
class World:
    """`effect` is added to the candidate's error rate."""

    schedule: Schedule
    base: Callable[[float], float]
    effect: float
    sticky: bool = False


class Interval(NamedTuple):
    """What the gates see. `slower` counts, for a threshold of stable and of the candidate in
    seconds (both [R]), requests above them; `quantile` is stable's of this interval, [R]."""

    errors: Counts
    refused: Counts
    wrong: Counts
    slower: Callable[[Floats, Floats], Counts]
    quantile: Callable[[float], Floats]
    scores: tuple[Ints, Ints]
    effect: Floats
    share_effect: Floats


class Independent:
    """Every request on its own."""

    def __init__(self, world: World, size: int, generator: np.random.Generator) -> None:
        self.world, self.size, self.generator = world, size, generator
        self.length = intervals(world.schedule)

    def learn(self) -> Ints:
        return self.generator.multinomial(REQUESTS, np.full(BINS, 1 / BINS), self.size)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        self.size = int(rows.sum())

    def interval(self, number: int) -> Interval:
        draw = self.generator.binomial
        weight = weight_at(self.world.schedule, number)
        nc = draw(REQUESTS, weight, self.size)
        ns = REQUESTS - nc
        p = self.world.base(number / self.length)
        even = np.full(BINS, 1 / BINS)

        def both(ps: Floats | float, pc: Floats | float, n: Ints = ns, m: Ints = nc) -> Counts:
            return Counts(n, draw(n, ps), m, draw(m, pc))

        def slower(ours: Floats, theirs: Floats) -> Counts:
            return both(*(norm.sf(np.log(t / MEDIAN) / SPREAD) for t in (ours, theirs)))

        labelled = draw(ns, LABELLED), draw(nc, LABELLED)
        ones = np.ones(self.size)
        return Interval(
            both(p, p + self.world.effect),
            both(REFUSED, REFUSED),
            both(WRONG, WRONG, *labelled),
            slower,
            lambda q: _quantile(self.generator, ns, q),
            (self.generator.multinomial(ns, even), self.generator.multinomial(nc, even)),
            ones,
            ones,
        )


class Sticky:
    """Users with habits, who stay with their version."""

    USERS = 5_000
    BUCKETS = 512
    CORRELATION = 0.05

    def __init__(self, world: World, size: int, generator: np.random.Generator) -> None:
        self.world, self.size, self.generator = world, size, generator
        self.length = intervals(world.schedule)
        shape = size, self.USERS
        r = 1 / self.CORRELATION - 1
        p = world.base(0.0)
        self.hash = generator.random(shape, dtype=np.float32)
        self.p = generator.beta(p * r, (1 - p) * r, shape).astype(np.float32)
        self.p_wrong = generator.beta(WRONG * r, (1 - WRONG) * r, shape).astype(np.float32)
        own = np.sqrt(self.CORRELATION) * SPREAD
        self.slow = generator.normal(0, own, shape).astype(np.float32)
        self.score = generator.integers(0, BINS, shape, dtype=np.uint8)
        self.rest = np.sqrt(1 - self.CORRELATION) * SPREAD
        self.n = np.zeros((size, 2, self.BUCKETS))
        self.k = np.zeros((size, 2, self.BUCKETS))

    def learn(self) -> Ints:
        return self.generator.multinomial(REQUESTS, np.full(BINS, 1 / BINS), self.size)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        self.size = int(rows.sum())
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[rows])

    def interval(self, number: int) -> Interval:
        draw, size = self.generator, self.size
        weight = weight_at(self.world.schedule, number)
        users = draw.integers(0, self.USERS, (size, REQUESTS))
        at = users + np.arange(size)[:, None] * self.USERS
        canary = self.hash.ravel()[at] < weight
        worse = 1 + self.world.effect / self.world.base(0.0)
        p = self.p.ravel()[at]
        failed = draw.random(at.shape, dtype=np.float32) < np.where(canary, p * worse, p)
        labelled = draw.random(at.shape, dtype=np.float32) < LABELLED
        wrong = draw.random(at.shape, dtype=np.float32) < self.p_wrong.ravel()[at]
        log_latency = draw.standard_normal(at.shape, dtype=np.float32) * self.rest
        log_latency += self.slow.ravel()[at]
        scores = draw.integers(0, BINS, at.shape, dtype=np.uint8)
        scores = np.where(draw.random(at.shape) < 0.5, self.score.ravel()[at], scores)
        nc = canary.sum(axis=1)
        ns = REQUESTS - nc

        def both(bad: NDArray[np.bool_], of: NDArray[np.bool_] | bool = True) -> Counts:
            n = (of & ~canary).sum(axis=1), (of & canary).sum(axis=1)
            k = (bad & of & ~canary).sum(axis=1), (bad & of & canary).sum(axis=1)
            return Counts(n[0], k[0], n[1], k[1])

        def slower(ours: Floats, theirs: Floats) -> Counts:
            limits = (np.log(t / MEDIAN)[:, None] for t in (ours, theirs))
            return both(log_latency > np.where(canary, *reversed(tuple(limits))))

        self._count(users % self.BUCKETS, canary, failed)
        refused = Counts(ns, draw.binomial(ns, REFUSED), nc, draw.binomial(nc, REFUSED))
        return Interval(
            both(failed),
            refused,
            both(wrong, labelled),
            slower,
            lambda q: _quantile(draw, ns, q),
            (_bins(scores, ~canary), _bins(scores, canary)),
            design_effect(self.n, self.k),
            share_design_effect(self.n, weight),
        )

    def _count(self, buckets: Ints, canary: NDArray[np.bool_], failed: NDArray[np.bool_]) -> None:
        rows = np.arange(self.size)[:, None] * 2 + canary
        at = (rows * self.BUCKETS + buckets).ravel()
        shape = self.n.shape
        self.n += np.bincount(at, minlength=self.n.size).reshape(shape)
        self.k += np.bincount(at, failed.ravel(), self.n.size).reshape(shape)


def design_effect(n: Floats, k: Floats) -> Floats:
    """Twin of `clusters.design_effect`: [R, 2, buckets] to [R]."""
    total, bad = n.sum(axis=2), k.sum(axis=2)
    p = bad / np.maximum(total, 1)
    free = total - (n**2).sum(axis=2) / np.maximum(total, 1)
    spread = ((k - p[:, :, None] * n) ** 2).sum(axis=2)
    known = ((n > 0).sum(axis=2) >= 8) & (bad > 0) & (bad < total)
    some = known.any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(known, spread / (p * (1 - p) * free), 0.0)
        by = [np.where(known, total**power, 0.0) for power in (-1.0, 1.0)]
        means = [(found * weight).sum(axis=1) / weight.sum(axis=1) for weight in by]
    largest = np.maximum(np.maximum(*means), 1.0) * (1 + np.maximum(bad.min(axis=1), 1) ** -0.5)
    return np.where(some, largest, 1.0)


def share_design_effect(n: Floats, share: float) -> Floats:
    """Twin of `clusters.share_design_effect`."""
    every = n.sum(axis=1)
    total = every.sum(axis=1)
    real = n[:, 1].sum(axis=1) / total
    scatter = ((n[:, 1] - real[:, None] * every) ** 2).sum(axis=1)
    spread = np.minimum(real * (1 - real), share * (1 - share))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, np.maximum(scatter / (spread * total), 1.0), 1.0)


def _quantile(generator: np.random.Generator, n: Ints, q: float) -> Floats:
    """Stable's q-quantile of an interval: an order statistic of its n latencies."""
    rank = np.clip(np.ceil(q * n), 1, np.maximum(n, 1))
    at = beta.ppf(generator.random(len(n)), rank, n - rank + 1)
    return MEDIAN * np.exp(SPREAD * norm.ppf(at))


def _bins(scores: NDArray[np.uint8], rows: NDArray[np.bool_]) -> Ints:
    size = len(scores)
    at = (np.arange(size)[:, None] * BINS + scores)[rows]
    return np.bincount(at, minlength=size * BINS).reshape(size, BINS)
