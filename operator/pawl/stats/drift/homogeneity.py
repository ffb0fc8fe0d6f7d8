"""Could window and reference have come from the same mix? The likelihood-ratio test.

With n effective rows in the window, m in the reference, shares p and q, π = (np + mq)/(n + m),

    G = 2·Σ_k [n·p_k·ln(p_k/π_k) + m·q_k·ln(q_k/π_k)]     is χ² with (bins not empty in both) − 1

degrees of freedom (Wilks 1938); with n/δ for n it is Rao & Scott's (1984) first-order correction.

Why not Pearson's X²: α is split until it is one in a million, and there a bin with a share of
1/5,000 makes X² reject on three rows that chance brings once in 6,000 windows of 500. The
likelihood ratio measures how improbable large deviations are (Hoeffding 1965); a bin so rare makes
it too careful, not too quick.
"""

from __future__ import annotations

import numpy as np

from pawl.stats.drift.chi2 import survival
from pawl.stats.drift.layout import Ragged
from pawl.stats.metrics import Floats


def p_values(bins: Ragged, window: Floats, reference: Floats, n: Floats, m: Floats) -> Floats:
    """One p per feature from counts per bin [B] and effective rows [F]; 1 where nobody has rows."""
    p, q = shares(bins, window), shares(bins, reference)
    n_bin, m_bin = bins.spread(n), bins.spread(m)
    whole = n_bin + m_bin
    pooled = np.divide(n_bin * p + m_bin * q, whole, out=np.zeros_like(p), where=whole > 0)
    g = bins.sum(n_bin * relative(p, pooled) + m_bin * relative(q, pooled))
    df = np.maximum(bins.sum(pooled > 0) - 1, 0).astype(np.int64)
    return survival(2.0 * np.where((n > 0) & (m > 0), g, 0.0), df)


def shares(bins: Ragged, counts: Floats) -> Floats:
    """Counts over their sum per feature; 0 where that is 0."""
    return counts / bins.spread(np.maximum(bins.sum(counts), 1e-300))


def relative(p: Floats, pooled: Floats) -> Floats:
    """p·ln(p/π), 0 for p = 0."""
    ratio = np.divide(p, pooled, out=np.ones_like(p), where=p > 0)
    return np.asarray(p * np.log(ratio))
