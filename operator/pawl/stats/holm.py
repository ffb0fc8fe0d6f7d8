"""Holm's (1979) step-down correction: of several claims at once, a false one is proved with at most
5 % probability, however many there are and however they depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence

LEVEL = 0.05


def holm(p: Sequence[float]) -> tuple[int, ...]:
    """Which claims are proved, by the p of their opposites: from the smallest p, as long as
    p ≤ 5 % / those that are left. Places in `p`, the surest first."""
    found = []
    for step, at in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[at] > LEVEL / (len(p) - step):
            break
        found.append(at)
    return tuple(found)
