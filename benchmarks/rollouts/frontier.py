"""numpy twin of pawl.stats.sequential.frontier: many rollouts and bins at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from pawl.stats.sequential import frontier as original

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_RATIOS = np.array(original._RATIOS)


class Arms(NamedTuple):
    """[R, B] weighted counts, [R] weight, [R, B] strength."""

    stable: Floats
    candidate: Floats
    weight: Floats
    strength: Floats


def evidence_above(arms: Arms, limit: float, rows: Flags) -> Floats:
    """Of those rows; −∞ for the others."""
    open_ = (arms.weight * limit >= original.TOO_LITTLE) & (_observed(arms) < limit)
    return _evidence(arms, limit, rows & open_, 1.0, 0.3)


def evidence_below(arms: Arms, limit: float, rows: Flags) -> Floats:
    return _evidence(arms, limit, rows & (_observed(arms) > limit), -1.0, 1.5)


def _evidence(arms: Arms, limit: float, rows: Flags, sign: float, high: float) -> Floats:
    found = np.full(len(arms.weight), -np.inf)
    if rows.any():
        some = Arms(*(part[rows] for part in arms))
        ends = np.zeros(rows.sum()), np.full(rows.sum(), high)
        best = _search(lambda k: _dual(some, limit, k, sign), *ends, original._MULTIPLIERS)
        found[rows] = best - original.SLACK
    return found


def _observed(arms: Arms) -> Floats:
    f, g = arms.stable / arms.weight[:, None], arms.candidate / arms.weight[:, None]
    return ((g - f) * np.log((g + original.FLOOR) / (f + original.FLOOR))).sum(axis=1)


def _dual(arms: Arms, limit: float, kappa: Floats, sign: float) -> Floats:
    shape = arms.stable.shape
    weight = np.broadcast_to(arms.weight[:, None], shape).ravel()
    signed = np.broadcast_to(sign * kappa[:, None], shape).ravel()
    most = limit if sign > 0 else np.inf
    parts = arms.stable.ravel(), arms.candidate.ravel(), weight, arms.strength.ravel(), signed
    return sign * kappa * arms.weight * limit + _bins(*parts, most).reshape(shape).sum(axis=1)


def _bins(s: Floats, c: Floats, weight: Floats, a: Floats, kappa: Floats, most: float) -> Floats:
    columns = [part[:, None] for part in (s, c, weight, a, kappa)]
    values = _given_ratio(_RATIOS[None, :], columns, most)
    found = values.min(axis=1)
    left = np.concatenate([values[:, :1], values[:, :-1]], axis=1)
    right = np.concatenate([values[:, 1:], values[:, -1:]], axis=1)
    rows, at = np.nonzero(np.isfinite(values) & (values <= left) & (values <= right))
    some = [part[rows] for part in (s, c, weight, a, kappa)]
    ends = _RATIOS[np.maximum(at - 1, 0)], _RATIOS[np.minimum(at + 1, len(_RATIOS) - 1)]
    refined = -_search(lambda x: -_given_ratio(x, some, most), *ends, original._REFINE)
    np.minimum.at(found, rows, refined)
    return found + _constant(s, a) + _constant(c, a)


def _given_ratio(x: Floats, bins: list[Floats], most: float) -> Floats:
    s, c, weight, a, kappa = bins
    r = np.exp(x)
    floor = weight * original.FLOOR
    d = a - floor
    per_index = (r - 1) * x
    low, high = floor * np.maximum(1, 1 / r), (weight + floor) * np.minimum(1, 1 / r)
    with np.errstate(divide="ignore"):
        high = np.where(per_index > 0, np.minimum(high, weight * most / per_index), high)
    slope = 1 + r - kappa * per_index
    s, c = s + a, c + a
    steep = slope > 1e-12
    safe = np.where(steep, slope, 1.0)
    quadratic, linear = safe * r, safe * d * (1 + r) - r * (s + c)
    constant = safe * d * d - d * (s + r * c)
    root = np.sqrt(np.maximum(linear * linear - 4 * quadratic * constant, 0))
    u = np.where(steep, (root - linear) / (2 * quadratic), high)
    u = np.clip(u, low, np.maximum(high, low))
    value = slope * u - 2 * floor - s * np.log(u + d) - c * np.log(r * u + d)
    return np.where(low > high, np.inf, value)


def _constant(s: Floats, a: Floats) -> Floats:
    return a * np.log(a) - gammaln(a) + gammaln(s + a)


def _search(unimodal: Callable[[Floats], Floats], low: Floats, high: Floats, steps: int) -> Floats:
    golden = original._GOLDEN
    one, two = high - golden * (high - low), low + golden * (high - low)
    at_one, at_two = unimodal(one), unimodal(two)
    best = np.maximum(at_one, at_two)
    for _ in range(steps):
        down = at_one >= at_two
        low, high = np.where(down, low, one), np.where(down, two, high)
        new = np.where(down, high - golden * (high - low), low + golden * (high - low))
        at_new = unimodal(new)
        one, two = np.where(down, new, two), np.where(down, one, new)
        at_one, at_two = np.where(down, at_new, at_two), np.where(down, at_one, at_new)
        best = np.maximum(best, at_new)
    return best
