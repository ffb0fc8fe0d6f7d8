"""How much less correlated requests say: design effects from counts per user bucket.

A user's requests tend to fail together, and with `sticky` they all go to the same arm. The design
effect D is the variance of an arm's count of bad events over what it would be if requests were
independent; n requests say as much as n/D. Users are hashed to 512 buckets per arm, buckets are
independent, so D is read off how much buckets scatter. Counts must go back to the start of the
rollout (or as far as known): a user who comes again is the same user.
"""

from __future__ import annotations

from collections.abc import Sequence

BUCKETS = 512
_FEWEST = 8

Bucket = tuple[int, int]


def design_effect(stable: Sequence[Bucket], candidate: Sequence[Bucket]) -> float:
    """D ≥ 1 of the difference of the arms' rates, from (n, k) per bucket, k bad of n requests.

    Each arm's D_a = Σ(k_b − p_a·n_b)² / (p_a(1 − p_a)(n − Σn_b²/n)) counts with its share 1/n_a in
    the variance of the difference. 1 where fewer than 8 buckets have requests or all are alike.
    """
    arms = [(_scatter(arm), sum(n for n, _ in arm)) for arm in (stable, candidate)]
    parts = [(found, 1 / n) for found, n in arms if found is not None]
    if not parts:
        return 1.0
    whole = sum(weight for _, weight in parts)
    return max(sum(found * weight for found, weight in parts) / whole, 1.0)


def share_design_effect(stable: Sequence[int], candidate: Sequence[int], share: float) -> float:
    """D ≥ 1 of the candidate's count, from requests per bucket (the same buckets in both arms).

    Σ(c_b − s·n_b)² / (s(1 − s)·Σn_b) with s the share of the traffic that the candidate had.
    """
    total = sum(stable) + sum(candidate)
    if total == 0 or not 0 < share < 1:
        return 1.0
    real = sum(candidate) / total
    scatter = sum((c - real * (s + c)) ** 2 for s, c in zip(stable, candidate, strict=True))
    return max(scatter / (share * (1 - share) * total), 1.0)


def _scatter(arm: Sequence[Bucket]) -> float | None:
    used = [(n, k) for n, k in arm if n > 0]
    n, k = sum(n for n, _ in used), sum(k for _, k in used)
    if len(used) < _FEWEST or not 0 < k < n:
        return None
    p = k / n
    free = n - sum(size * size for size, _ in used) / n
    squares = sum((bad - p * size) ** 2 for size, bad in used)
    return squares / (p * (1 - p) * free)
