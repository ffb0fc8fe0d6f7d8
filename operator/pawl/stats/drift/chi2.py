"""The χ² distribution, far into its tail, without SciPy.

For whole degrees of freedom it is a finite sum of positive terms (Abramowitz & Stegun 26.4.4 and
26.4.5), so nothing is lost where probabilities are as small as 10⁻³⁰⁰: with h = x/2,

    even df:  P = Σ e^−h·h^j / j!                       for j = 0 … df/2 − 1
    odd df:   P = erfc(√h) + Σ e^−h·h^(j+½) / Γ(j + 3/2)   for j = 0 … (df − 1)/2 − 1
"""

from __future__ import annotations

import math

import numpy as np

from pawl.stats.metrics import Floats, Ints

_TINY = 1e-300


def survival(x: Floats, df: Ints) -> Floats:
    """P(χ²_df ≥ x), element by element; 1 for df = 0 (nothing can vary)."""
    half = np.maximum(x, 0.0) / 2
    odd = df % 2
    most = int(df.max(initial=0)) // 2
    steps = np.arange(most)
    gamma = np.array([[math.lgamma(j + o / 2 + 1) for j in range(most)] for o in (0, 1)])
    power = steps + odd[:, None] / 2
    logs = power * np.log(np.maximum(half, _TINY))[:, None] - half[:, None] - gamma[odd]
    terms = np.exp(np.where(steps < (df // 2)[:, None], logs, -np.inf))
    tail = np.array([math.erfc(math.sqrt(h)) if o else 0.0 for h, o in zip(half, odd, strict=True)])
    return np.where(df > 0, np.minimum(tail + terms.sum(axis=1), 1.0), 1.0)
