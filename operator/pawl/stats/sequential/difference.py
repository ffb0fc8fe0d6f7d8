"""Bets on "the candidate is worse by less than the margin", Turner & Grünwald (2023).

H0: p_c − pₛ ≥ m. For an interval with nₛ and n_c requests and an alternative (qₛ, q_c) with
q_c − qₛ < m, chosen before the interval, the bet is the likelihood ratio of (qₛ, q_c) to its
projection (p*, p* + m) on the boundary, which minimises nₛ·KL(qₛ‖p*) + n_c·KL(q_c‖p* + m). The
condition of that minimum and the inequality of the two means give E[e] ≤ 1 for every (pₛ, p_c) in
H0, and when rates move inside the interval for their means; so intervals of different base rates
may follow each other.
"""

from __future__ import annotations

import math

from pawl.stats.sequential.odds import Interval

_STEPS = 60
_TINY = 1e-12


def bet(interval: Interval, q_stable: float, q_candidate: float, margin: float) -> float:
    """log e of one interval; 0 when the alternative is in H0 or the interval has one arm only.

    The alternative must not depend on the interval's bad counts. Rates are kept inside (0, 1).
    """
    qs, qc = _inside(q_stable), _inside(q_candidate)
    if qc - qs >= margin or interval.stable_n == 0 or interval.candidate_n == 0:
        return 0.0
    ps = project(interval.stable_n, interval.candidate_n, qs, qc, margin)
    pc = ps + margin
    return (
        interval.stable_k * math.log(qs / ps)
        + (interval.stable_n - interval.stable_k) * math.log((1 - qs) / (1 - ps))
        + interval.candidate_k * math.log(qc / pc)
        + (interval.candidate_n - interval.candidate_k) * math.log((1 - qc) / (1 - pc))
    )


def project(w_stable: float, w_candidate: float, qs: float, qc: float, margin: float) -> float:
    """p* of the boundary point (p*, p* + margin) that is nearest to (qs, qc), by bisection."""
    low, high = _TINY, 1.0 - margin - _TINY
    # nearest lies between stable's rate and where the candidate's would put it
    low, high = max(low, min(qs, qc - margin)), min(high, max(qs, qc - margin))
    for _ in range(_STEPS):
        p = (low + high) / 2
        r = p + margin
        slope = w_stable * (p - qs) / (p * (1 - p)) + w_candidate * (r - qc) / (r * (1 - r))
        if slope < 0:
            low = p
        else:
            high = p
    return (low + high) / 2


def _inside(q: float) -> float:
    return min(max(q, 1e-9), 1 - 1e-9)
