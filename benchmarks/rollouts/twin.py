"""numpy twins of pawl.stats.sequential: the same formulas for R rollouts at once.

Arrays of counts are [R]; log-wealth is [R, bets]. tests/unit/stats/test_twin.py compares with the
originals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from benchmarks.rollouts.frontier import Arms, evidence_above, evidence_below
from pawl.stats.sequential import latency, proportions, psi, ratio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_FACTORIAL = gammaln(np.arange(20_001) + 1.0)


class Counts(NamedTuple):
    """One interval of every rollout."""

    stable_n: Ints
    stable_k: Ints
    candidate_n: Ints
    candidate_k: Ints


def log_odds(p: Floats) -> Floats:
    return np.log(p) - np.log1p(-p)


def mixture(weights: tuple[float, ...], wealth: Floats, effect: Floats | float) -> Floats:
    effect = np.broadcast_to(np.asarray(effect, dtype=float), wealth.shape[:1])
    return np.logaddexp.reduce(np.log(weights) + wealth / effect[:, None], axis=1)


def bets(c: Counts, log_ratios: Floats) -> Floats:
    """[R, J] log e-values; `log_ratios` is [R, J] or [J]."""
    log_ratios = np.broadcast_to(log_ratios, (len(c.stable_n), log_ratios.shape[-1]))
    n, k = c.stable_n + c.candidate_n, c.stable_k + c.candidate_k
    tells = (k > 0) & (k < n) & (c.candidate_n > 0) & (c.candidate_n < n)
    found = np.zeros(log_ratios.shape)
    if tells.any():
        at = Counts(*(part[tells] for part in c))
        x = log_ratios[tells]
        found[tells] = at.candidate_k[:, None] * x - _log_moment(at, x)
    return found


def _log_moment(c: Counts, x: Floats) -> Floats:
    stable, candidate, bad = (
        part[:, None].astype(float)
        for part in (c.stable_n, c.candidate_n, c.stable_k + c.candidate_k)
    )
    first, last = np.maximum(0, bad - stable), np.minimum(bad, candidate)
    tilt = np.exp(x)
    b = -(tilt * (candidate + bad + 2) + stable - bad)
    product = tilt * (candidate + 1) * (bad + 1)
    root = 2 * product / (-b + np.sqrt(np.maximum(b * b - 4 * (tilt - 1) * product, 0)))
    top = np.clip(np.floor(root), first, last)
    whole = np.ones_like(x)
    term, k = np.ones_like(x), top.copy()
    while True:
        term = term * tilt * (candidate - k) * (bad - k) / ((k + 1) * (stable - bad + k + 1))
        term = np.where(k < last, term, 0.0)
        if not (term > 1e-17 * whole).any():
            break
        whole += term
        k += 1
    term, k = np.ones_like(x), top.copy()
    while True:
        below = tilt * (candidate - k + 1) * (bad - k + 1)
        term = np.where(k > first, term * k * (stable - bad + k) / below, 0.0)
        if not (term > 1e-17 * whole).any():
            break
        whole += term
        k -= 1
    log_top = (
        _choose(candidate, top) + _choose(stable, bad - top) - _choose(stable + candidate, bad)
    )
    return log_top + x * top + np.log(whole)


def _choose(n: Floats, k: Floats) -> Floats:
    n, k = n.astype(int), k.astype(int)
    return _LOG_FACTORIAL[n] - _LOG_FACTORIAL[k] - _LOG_FACTORIAL[n - k]


def difference_bets(c: Counts, qs: Floats, qc: Floats, margin: float) -> Floats:
    """[R] log e-values of `difference.bet`."""
    qs, qc = np.clip(qs, 1e-9, 1 - 1e-9), np.clip(qc, 1e-9, 1 - 1e-9)
    low = np.maximum(1e-12, np.minimum(qs, qc - margin))
    high = np.minimum(1 - margin - 1e-12, np.maximum(qs, qc - margin))
    ws, wc = c.stable_n, c.candidate_n
    for _ in range(60):
        p = (low + high) / 2
        r = p + margin
        slope = ws * (p - qs) / (p * (1 - p)) + wc * (r - qc) / (r * (1 - r))
        low, high = np.where(slope < 0, p, low), np.where(slope < 0, high, p)
    ps = (low + high) / 2
    pc = ps + margin
    found = (
        c.stable_k * np.log(qs / ps)
        + (c.stable_n - c.stable_k) * np.log((1 - qs) / (1 - ps))
        + c.candidate_k * np.log(qc / pc)
        + (c.candidate_n - c.candidate_k) * np.log((1 - qc) / (1 - pc))
    )
    return np.where((qc - qs >= margin) | (ws == 0) | (wc == 0), 0.0, found)


class Gate:
    """What every twin has: the largest log e-values so far, [R]."""

    def __init__(self, size: int) -> None:
        self.most_fail = np.zeros(size)
        self.most_pass = np.zeros(size)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drops the other rollouts."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[rows])


class Proportions(Gate):
    """Twin of `proportions`."""

    def __init__(self, size: int, margin: float) -> None:
        super().__init__(size)
        self.margin = margin
        self.recent_n, self.recent_k = np.zeros(size), np.zeros(size)
        self.fail = np.zeros((size, len(proportions.EFFECTS)))
        self.passing = np.zeros((size, len(proportions.TOLERATED)))

    def update(self, c: Counts, effect: Floats | float = 1.0) -> None:
        n, k = c.stable_n + c.candidate_n, c.stable_k + c.candidate_k
        share = c.candidate_n / np.maximum(n, 1)
        base = (self.recent_k + k + 0.5) / (self.recent_n + n + 1)
        delta = np.multiply(proportions.EFFECTS, self.margin)
        stable = _near(base[:, None] - share[:, None] * delta, base[:, None])
        candidate = np.minimum(stable + delta, 1 - 0.05 * (1 - stable))
        self.fail += bets(c, log_odds(candidate) - log_odds(stable))
        known = self.recent_n > 0
        base = (self.recent_k + 0.5) / (self.recent_n + 1)
        for i, tolerated in enumerate(proportions.TOLERATED):
            shift = tolerated * self.margin
            qs = _near(base - share * shift, base)
            found = difference_bets(c, qs, _near(qs + shift, base), self.margin)
            self.passing[:, i] += np.where(known, found, 0.0)
        forget = np.exp(-k / proportions.MEMORY)
        self.recent_n = self.recent_n * forget + n
        self.recent_k = self.recent_k * forget + k
        fail = mixture(proportions.EFFECT_WEIGHTS, self.fail, effect)
        passing = mixture(proportions.TOLERATED_WEIGHTS, self.passing, effect)
        self.most_fail = np.maximum(self.most_fail, fail)
        self.most_pass = np.maximum(self.most_pass, passing)


class Psi(Gate):
    """Twin of `psi` with the bins known and `learnt` [R, B] answers behind them."""

    def __init__(self, maximum: float, learnt: Ints) -> None:
        super().__init__(len(learnt))
        self.maximum = maximum
        shares = (learnt + 0.5) / (learnt.sum(axis=1) + 0.5 * learnt.shape[1])[:, None]
        self.strength = psi.STRENGTH / maximum * shares
        self.stable, self.candidate = np.zeros(learnt.shape), np.zeros(learnt.shape)
        self.weight, self.judged = np.zeros(len(learnt)), np.zeros(len(learnt))

    def update(self, stable: Ints, candidate: Ints, effect: Floats | float = 1.0) -> None:
        """Answers per bin, [R, B]."""
        ns, nc = stable.sum(axis=1), candidate.sum(axis=1)
        share = nc / np.maximum(ns + nc, 1)
        counts = (ns > 0) & (nc > 0)
        self.weight += ns * share
        self.stable += np.where(counts[:, None], share[:, None] * stable, 0.0)
        self.candidate += np.where(counts[:, None], (1 - share)[:, None] * candidate, 0.0)
        due = counts & (self.weight >= psi.EVERY * self.judged)
        self.judged = np.where(due, self.weight, self.judged)
        if not due.any():
            return
        by = np.broadcast_to(np.asarray(effect, dtype=float), due.shape)[due][:, None]
        arms = Arms(
            self.stable[due] / by,
            self.candidate[due] / by,
            self.weight[due] / by[:, 0],
            self.strength[due],
        )
        passing = evidence_above(arms, self.maximum, self.most_pass[due] < psi.ENOUGH)
        fail = evidence_below(arms, self.maximum, self.most_fail[due] < psi.ENOUGH)
        self.most_fail[due] = np.maximum(self.most_fail[due], fail)
        self.most_pass[due] = np.maximum(self.most_pass[due], passing)


class Latency(Gate):
    """Twin of `latency` after counting: `above` with ratio·t rounded up, `below` rounded down."""

    def __init__(self, size: int, quantile: float) -> None:
        super().__init__(size)
        self.fail = np.zeros((size, len(latency.SLOWER)))
        self.passing = np.zeros((size, len(latency.FASTER)))
        usual, cap = 1 - quantile, 1 - 0.05 * quantile
        base = log_odds(np.array(usual))

        def ratios(multiples: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(log_odds(np.minimum(np.multiply(multiples, usual), cap)) - base)

        self._slower, self._faster = ratios(latency.SLOWER), ratios(latency.FASTER)

    def update(self, above: Counts, below: Counts, effect: Floats | float = 1.0) -> None:
        self.fail += bets(above, np.array(self._slower))
        self.passing += bets(below, np.array(self._faster))
        size, other = len(latency.SLOWER), len(latency.FASTER)
        fail = mixture((1 / size,) * size, self.fail, effect)
        passing = mixture((1 / other,) * other, self.passing, effect)
        self.most_fail = np.maximum(self.most_fail, fail)
        self.most_pass = np.maximum(self.most_pass, passing)


class Ratio:
    """Twin of `ratio`."""

    def __init__(self, size: int) -> None:
        self.wealth = np.zeros((size, len(ratio.ALL)))
        self.most = np.zeros(size)

    def update(self, c: Counts, share: float, effect: Floats | float = 1.0) -> None:
        tilts = np.array(ratio.ALL)
        change = np.log1p(share * np.expm1(tilts))
        self.wealth += c.candidate_n[:, None] * (tilts - change) - c.stable_n[:, None] * change
        found = mixture((1 / len(tilts),) * len(tilts), self.wealth, effect)
        self.most = np.maximum(self.most, found)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        self.wealth, self.most = self.wealth[rows], self.most[rows]


def _near(rate: Floats, base: Floats) -> Floats:
    return np.minimum(np.maximum(rate, 0.1 * base), 1 - 0.1 * (1 - base))
