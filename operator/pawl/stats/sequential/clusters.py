"""How much less correlated requests say: design effects from counts per user bucket.

A user's requests tend to fail together, and with `sticky` they all go to the same arm. The design
effect D is the variance of an arm's count of bad events over what it would be if requests were
independent; n requests say as much as n/D. Users are hashed to 512 buckets per arm, buckets are
independent, so D is read off how much buckets scatter. Counts must go back to the start of the
rollout (or as far as known): a user who comes again is the same user.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

BUCKETS = 512
_FEWEST = 8

Bucket = tuple[int, int]


def design_effect(stable: Sequence[Bucket], candidate: Sequence[Bucket]) -> float:
    """D ≥ 1 of the difference of the arms' rates, from (n, k) per bucket, k bad of n requests.

    Each arm's D_a = Σ(k_b − p_a·n_b)² / (p_a(1 − p_a)(n − Σn_b²/n)). The larger of two means of
    them counts: weighted by 1/n_a, an arm's share in the variance of the difference, and by n_a,
    less noisy where the candidate has few requests. It is then raised by its own relative error,
    1/√k of the arm with fewer bad events: an estimate that is low by chance comes with rates that
    look good by chance. 1 when fewer than 8 buckets have requests or all are alike.
    """
    arms = [(_scatter(arm), *_totals(arm)) for arm in (stable, candidate)]
    known = [(found, n, k) for found, n, k in arms if found is not None]
    if not known:
        return 1.0
    by_variance = sum(found / n for found, n, _ in known) / sum(1 / n for _, n, _ in known)
    by_requests = sum(found * n for found, n, _ in known) / sum(n for _, n, _ in known)
    fewest = max(min(k for _, _, k in arms), 1)
    return max(by_variance, by_requests, 1.0) * (1 + 1 / math.sqrt(fewest))


def share_design_effect(stable: Sequence[int], candidate: Sequence[int], share: float) -> float:
    """D ≥ 1 of the candidate's count, from requests per bucket (the same buckets in both arms).

    Σ(c_b − r·n_b)² / (v·Σn_b) with r the share that the candidate really had and v the smaller of
    r(1 − r) and s(1 − s), s the share it has now: at earlier steps it had another.
    """
    total = sum(stable) + sum(candidate)
    real = sum(candidate) / total if total else 0.0
    if not 0 < real < 1 or not 0 < share < 1:
        return 1.0
    scatter = sum((c - real * (s + c)) ** 2 for s, c in zip(stable, candidate, strict=True))
    return max(scatter / (min(real * (1 - real), share * (1 - share)) * total), 1.0)


def _totals(arm: Sequence[Bucket]) -> tuple[int, int]:
    return sum(n for n, _ in arm), sum(k for _, k in arm)


def _scatter(arm: Sequence[Bucket]) -> float | None:
    used = [(n, k) for n, k in arm if n > 0]
    n, k = _totals(used)
    if len(used) < _FEWEST or not 0 < k < n:
        return None
    p = k / n
    free = n - sum(size * size for size, _ in used) / n
    squares = sum((bad - p * size) ** 2 for size, bad in used)
    return squares / (p * (1 - p) * free)
