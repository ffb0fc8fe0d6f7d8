"""Rules of other tools on the same errors, with limits that suit 1 % → 2 % best (1.5 %).

    Argo Rollouts   each minute's canary error rate against a limit; aborted at more than
                    failureLimit = 3 failed measurements
    Flagger         the same with threshold = 5 failed checks
    difference      the minute's canary rate minus stable's against half of the margin, 3 failures
    peeked z-test   one-sided two-proportion z-test at p < 0.01 of the totals, at every look

All promote what has not been stopped at the end of the schedule.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.rollouts.twin import Counts, Floats
from benchmarks.rollouts.world import REQUESTS, World, intervals, weight_at

MINUTE = 12  # intervals
LIMIT = 0.015
PEEK = 0.01

Flags = NDArray[np.bool_]
Bad = Callable[[Counts], Flags]


def stopped(world: World, size: int, seed: int) -> dict[str, Floats]:
    """Canary requests until each rule stops, [R]; ∞ when it promotes."""
    generator = np.random.default_rng([seed, 1])
    rules: dict[str, _Failures | _Peeked] = {
        "Argo Rollouts": _Failures(_above, 3, size),
        "Flagger": _Failures(_above, 4, size),
        "difference": _Failures(_differs, 3, size),
        "peeked z-test": _Peeked(size),
    }
    found = {name: np.full(size, np.inf) for name in rules}
    sent = np.zeros(size)
    length = intervals(world.schedule)
    for number in range(length):
        weight, p = weight_at(world.schedule, number), world.base(number / length)
        nc = generator.binomial(REQUESTS, weight, size)
        ns = REQUESTS - nc
        ks, kc = generator.binomial(ns, p), generator.binomial(nc, p + world.effect)
        sent += nc
        for name, rule in rules.items():
            down = rule.look(Counts(ns, ks, nc, kc)) & np.isinf(found[name])
            found[name][down] = sent[down]
    return found


class _Failures:
    """More than `most` minutes were bad."""

    def __init__(self, bad: Bad, most: int, size: int) -> None:
        self._bad, self._most = bad, most
        self._minute: list[Counts] = []
        self._failures = np.zeros(size, dtype=int)

    def look(self, counts: Counts) -> Flags:
        self._minute.append(counts)
        if len(self._minute) == MINUTE:
            self._failures += self._bad(Counts(*np.sum(self._minute, axis=0)))
            self._minute = []
        return self._failures > self._most


class _Peeked:
    """The totals are significant."""

    def __init__(self, size: int) -> None:
        self._total = Counts(*np.zeros((4, size), dtype=int))

    def look(self, counts: Counts) -> Flags:
        self._total = Counts(*(a + b for a, b in zip(self._total, counts, strict=True)))
        ns, ks, nc, kc = self._total
        pooled = (ks + kc) / (ns + nc)
        error = np.sqrt(pooled * (1 - pooled) * (1 / ns + 1 / nc))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (kc / nc - ks / ns) / error
        return np.nan_to_num(z) > norm.isf(PEEK)


def _above(minute: Counts) -> Flags:
    return minute.candidate_k > LIMIT * minute.candidate_n


def _differs(minute: Counts) -> Flags:
    candidate = minute.candidate_k / np.maximum(minute.candidate_n, 1)
    stable = minute.stable_k / np.maximum(minute.stable_n, 1)
    return candidate - stable > 0.005
