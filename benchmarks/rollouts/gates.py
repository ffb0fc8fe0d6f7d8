"""Rollouts with six gates, as the operator folds them: confidence 0.99, so Fail at 0.01/6 a gate
and Pass at 0.01. A gate that fails rolls back; in the last step all must pass for a promotion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts import twin, world
from benchmarks.rollouts.twin import Floats, Ints
from benchmarks.rollouts.world import Independent, Interval, Sticky, World
from pawl.stats import loghist
from pawl.stats.sequential import latency

GATES = ("error rate", "refused", "accuracy", "latency p50", "latency p95", "prediction psi")
CONFIDENCE = 0.99
ERROR_MARGIN, REFUSED_MARGIN, ACCURACY_MARGIN = 0.01, 0.01, 0.03
LATENCY_RATIO, MOST_PSI = 1.5, 0.2
NEED_PASS = -math.log(1 - CONFIDENCE)
NEED_FAIL = -math.log((1 - CONFIDENCE) / len(GATES))
NEED_MISMATCH = math.log(1000)
_CHUNK = 500
_GROWTH = math.log(loghist.GROWTH)


class SlowGate:
    """A latency gate: the twin, and the threshold that it learns."""

    def __init__(self, size: int, quantile: float) -> None:
        self.quantile = quantile
        self.twin = twin.Latency(size, quantile)
        self.position, self.seen = np.zeros(size), np.zeros(size)

    def update(self, seen: Interval) -> None:
        if self.seen.any():
            edge = np.clip(np.round(self.position), 0, loghist.SIZE - 2)
            t = loghist.BASE * loghist.GROWTH**edge
            shift = math.log(LATENCY_RATIO) / _GROWTH
            up, down = (loghist.GROWTH ** round_(shift) for round_ in (math.ceil, math.floor))
            self.twin.update(seen.slower(t, t * up), seen.slower(t, t * down), seen.effect)
        n = seen.errors.stable_n
        at = np.log(seen.quantile(self.quantile) / loghist.BASE) / _GROWTH
        total = np.minimum(self.seen, latency.MEMORY) + n
        self.position += (at - self.position) * n / np.maximum(total, 1)
        self.seen = np.minimum(total, latency.MEMORY)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        self.twin.keep(rows)
        self.position, self.seen = self.position[rows], self.seen[rows]


class Rollouts:
    """The gates of many rollouts."""

    def __init__(self, size: int, learnt: Ints) -> None:
        self.errors = twin.Proportions(size, ERROR_MARGIN)
        self.refused = twin.Proportions(size, REFUSED_MARGIN)
        self.wrong = twin.Proportions(size, ACCURACY_MARGIN)
        self.slow = SlowGate(size, 0.5), SlowGate(size, 0.95)
        self.psi = twin.Psi(MOST_PSI, learnt)
        self.ratio = twin.Ratio(size)

    def update(self, seen: Interval, weight: float) -> None:
        self.errors.update(seen.errors, seen.effect)
        self.refused.update(seen.refused, seen.effect)
        self.wrong.update(seen.wrong, seen.effect)
        for gate in self.slow:
            gate.update(seen)
        self.psi.update(*seen.scores, seen.effect)
        self.ratio.update(seen.errors, weight, seen.share_effect)

    def gates(self) -> list[twin.Gate]:
        """In the order of GATES."""
        return [self.errors, self.refused, self.wrong, *(g.twin for g in self.slow), self.psi]

    def failed(self) -> NDArray[np.bool_]:
        """[R, gates]"""
        return np.stack([gate.most_fail >= NEED_FAIL for gate in self.gates()], axis=1)

    def passed(self) -> NDArray[np.bool_]:
        """[R, gates]"""
        return np.stack([gate.most_pass >= NEED_PASS for gate in self.gates()], axis=1)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        parts = self.errors, self.refused, self.wrong, *self.slow, self.psi, self.ratio
        for part in parts:
            part.keep(rows)


@dataclass(frozen=True)
class Outcome:
    """[R] each: canary requests until it was stopped or promoted (∞: not within 20,000), the gate
    that failed (−1: none), and whether the sample ratio was ever called wrong."""

    stopped: Floats
    promoted: Floats
    gate: Ints
    mismatch: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return len(self.stopped)


def simulate(world_: World, size: int, seed: int) -> Outcome:
    """`size` rollouts."""
    parts = [
        _chunk(world_, min(_CHUNK, size - begin), np.random.default_rng([seed, begin]))
        for begin in range(0, size, _CHUNK)
    ]
    names = "stopped", "promoted", "gate", "mismatch"
    return Outcome(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _chunk(world_: World, size: int, generator: np.random.Generator) -> Outcome:
    traffic = (Sticky if world_.sticky else Independent)(world_, size, generator)
    rollouts = Rollouts(size, traffic.learn())
    at, sent = np.arange(size), np.zeros(size)
    stopped, promoted = np.full(size, np.inf), np.full(size, np.inf)
    gate, mismatch = np.full(size, -1), np.zeros(size, dtype=bool)
    done = np.zeros(size, dtype=bool)
    last_step = sum(length for _, length in world_.schedule)
    for number in range(traffic.length):
        seen = traffic.interval(number)
        rollouts.update(seen, world.weight_at(world_.schedule, number))
        sent += seen.errors.candidate_n
        failed = rollouts.failed()
        down = failed.any(axis=1) & ~done
        up = rollouts.passed().all(axis=1) & ~failed.any(axis=1) & ~done & (number >= last_step)
        stopped[at[down]], promoted[at[up]] = sent[down], sent[up]
        gate[at[down]] = failed[down].argmax(axis=1)
        mismatch[at[~done]] |= rollouts.ratio.most[~done] >= NEED_MISMATCH
        done |= down | up
        if done.all():
            break
        if done.mean() > 0.1:
            going = ~done
            at, sent, done = at[going], sent[going], done[going]
            rollouts.keep(going)
            traffic.keep(going)
    return Outcome(stopped, promoted, gate, mismatch)
