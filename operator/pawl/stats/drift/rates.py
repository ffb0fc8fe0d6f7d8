"""95 % intervals of a rate and of the difference of two, from counts, element by element.

One rate: Wilson's score interval (1927). A difference: Newcombe's hybrid of two of them (Newcombe
1998, method 10), which keeps its level with rates near 0 or 1 and groups of different size, where
p ± 1.96 standard errors does not. n may be effective rows, so need not be whole.
"""

from __future__ import annotations

import numpy as np

from pawl.stats.intervals import Z95
from pawl.stats.metrics import Floats


def wilson(p: Floats, n: Floats, z: Floats | float = Z95) -> tuple[Floats, Floats]:
    """Both bounds of rates p of n > 0 rows."""
    square = np.square(z)
    middle = (p + square / (2 * n)) / (1 + square / n)
    half = z * np.sqrt(p * (1 - p) / n + square / (4 * n**2)) / (1 + square / n)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def newcombe(
    p: Floats, n: Floats, q: Floats, m: Floats, z: Floats | float = Z95
) -> tuple[Floats, Floats]:
    """Both bounds of p − q."""
    low_p, high_p = wilson(p, n, z)
    low_q, high_q = wilson(q, m, z)
    down = np.hypot(p - low_p, high_q - q)
    up = np.hypot(high_p - p, q - low_q)
    return p - q - down, p - q + up
