"""The least evidence against any pair of distributions whose stability index is above (below) a
limit: the optimisation behind `psi`.

Minimise Σ_b [φ(S_b, H·f_b) + φ(C_b, H·g_b)] subject to Σ_b j_b = max, j_b the index's terms. Both
sums are separable, so for every multiplier κ ≥ 0 (Lagrange, weak duality)

    κ·H·max + Σ_b min_{f, g} [φ + φ − κ·H·j_b]      is below that minimum (PSI ≥ max), and
   −κ·H·max + Σ_b min_{f, g} [φ + φ + κ·H·j_b]      (PSI ≤ max).

Both are concave in κ, and any κ gives a valid bound. For a given ratio r = g/f the inner minimum
over f is the root of a quadratic; over r every local minimum of a grid is refined (within 0.06 of
the true value in all trials; SLACK is taken off). For PSI ≥ max only j_b ≤
max needs to be looked at: φ is convex and smallest at the observed counts, so when their index is
below max the minimum lies where the index equals max.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FLOOR = 1e-4  # added to f and g inside the logarithm: an empty bin is a share of 0.01 %

SLACK = 0.1
TOO_LITTLE = 60.0

_RATIOS = tuple(math.sinh(5.0 * i / 16) / 8.0 for i in range(-16, 17))  # of ln r, −9.3 … 9.3
_REFINE, _MULTIPLIERS = 16, 10  # steps of golden-section search, 0.618 each
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True, slots=True)
class Arms:
    """Weighted counts per bin of both arms, their weight H, and the strength a of each bin."""

    stable: Sequence[float]
    candidate: Sequence[float]
    weight: float
    strength: Sequence[float]


def index_of(f: Sequence[float], g: Sequence[float]) -> float:
    """Σ (g − f)·ln((g + FLOOR) / (f + FLOOR))."""
    pairs = zip(f, g, strict=True)
    return math.fsum((q - p) * math.log((q + FLOOR) / (p + FLOOR)) for p, q in pairs)


def evidence_above(arms: Arms, limit: float) -> float:
    """log e-value against "index ≥ limit"; −∞ when the observed index is not below it, and before
    even equal counts would prove anything."""
    if arms.weight * limit < TOO_LITTLE or _observed(arms) >= limit:
        return -math.inf
    return _highest(lambda kappa: _dual(arms, limit, kappa, 1.0), 0.3)


def evidence_below(arms: Arms, limit: float) -> float:
    """log e-value against "index ≤ limit"; −∞ when the observed index is not above it."""
    if _observed(arms) <= limit:
        return -math.inf
    return _highest(lambda kappa: _dual(arms, limit, kappa, -1.0), 1.5)


def _observed(arms: Arms) -> float:
    f, g = ([s / arms.weight for s in sums] for sums in (arms.stable, arms.candidate))
    return index_of(f, g)


def _dual(arms: Arms, limit: float, kappa: float, sign: float) -> float:
    signed = sign * kappa
    most = limit if sign > 0 else math.inf
    return signed * arms.weight * limit + math.fsum(
        _bin(s, c, arms.weight, a, signed, most)
        for s, c, a in zip(arms.stable, arms.candidate, arms.strength, strict=True)
    )


def _bin(s: float, c: float, weight: float, a: float, kappa: float, most: float) -> float:
    """min over f, g of φ(s, H·f) + φ(c, H·g) − κ·H·j(f, g), with j ≤ most."""

    def at(x: float) -> float:
        return _given_ratio(x, s, c, weight, a, kappa, most)

    values = [at(x) for x in _RATIOS]
    last = len(values) - 1
    found = min(values)
    for i, value in enumerate(values):
        left, right = max(i - 1, 0), min(i + 1, last)
        if value < math.inf and value <= values[left] and value <= values[right]:
            refined = -_search(lambda x: -at(x), _RATIOS[left], _RATIOS[right], _REFINE)
            found = min(found, refined)
    return found + _constant(s, a) + _constant(c, a)


def _given_ratio(
    x: float, s: float, c: float, weight: float, a: float, kappa: float, most: float
) -> float:
    """The same for g + FLOOR = eˣ(f + FLOOR), without the constants; ∞ when nothing is feasible.

    With u = H(f + FLOOR) it is A·u − (s + a)·ln(u + d) − (c + a)·ln(r·u + d), convex in u.
    """
    r = math.exp(x)
    floor = weight * FLOOR
    d = a - floor
    per_index = (r - 1.0) * x
    low, high = floor * max(1.0, 1.0 / r), (weight + floor) * min(1.0, 1.0 / r)
    if per_index > 0:
        high = min(high, weight * most / per_index)
    if low > high:
        return math.inf
    slope = 1.0 + r - kappa * per_index
    s, c = s + a, c + a
    u = high
    if slope > 1e-12:
        quadratic, linear = slope * r, slope * d * (1.0 + r) - r * (s + c)
        constant = slope * d * d - d * (s + r * c)
        root = math.sqrt(max(linear * linear - 4.0 * quadratic * constant, 0.0))
        u = (root - linear) / (2.0 * quadratic)
    u = min(max(u, low), high)
    return slope * u - 2.0 * floor - s * math.log(u + d) - c * math.log(r * u + d)


def _constant(s: float, a: float) -> float:
    return a * math.log(a) - math.lgamma(a) + math.lgamma(s + a)


def _highest(concave: Callable[[float], float], high: float) -> float:
    return _search(concave, 0.0, high, _MULTIPLIERS) - SLACK


def _search(unimodal: Callable[[float], float], low: float, high: float, steps: int) -> float:
    """The largest value that golden-section search meets."""
    one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_two = unimodal(one), unimodal(two)
    best = max(at_one, at_two)
    for _ in range(steps):
        if at_one >= at_two:
            high, two, at_two = two, one, at_one
            one = high - _GOLDEN * (high - low)
            at_one = unimodal(one)
            best = max(best, at_one)
        else:
            low, one, at_one = one, two, at_two
            two = low + _GOLDEN * (high - low)
            at_two = unimodal(two)
            best = max(best, at_two)
    return best
