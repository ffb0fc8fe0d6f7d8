"""Mergeable histograms of predictions that do not depend on the version that made them.

A version's baseline has quantile bins of its own, so two versions cannot be compared by them. These
bins are the same everywhere. `LOGIT` for probabilities: steps of 1/8 in log odds, so that the tails
are seen too. `LOG` for any number: steps of 7 % in size on both sides of zero. Bin i holds
(edges[i−1], edges[i]]; the first and the last are open, and bins ascend with the value, so coarser
bins are sums of neighbours. On the wire as `{"511": 120}`.
"""

from __future__ import annotations

from bisect import bisect_left
from math import exp
from typing import Final

#: Bins of any kind have an index below this.
SIZE: Final = 1024

_STEP, _LOGIT_EDGES = 0.125, 255
_BASE, _GROWTH, _LOG_EDGES = 1e-6, 1.07, 511

LOGIT: Final = tuple(
    1.0 / (1.0 + exp(-_STEP * (i - _LOGIT_EDGES // 2))) for i in range(_LOGIT_EDGES)
)
LOG: Final = (
    *(-_BASE * _GROWTH**i for i in reversed(range(_LOG_EDGES))),
    *(_BASE * _GROWTH**i for i in range(_LOG_EDGES)),
)
#: By the name that a snapshot gives.
EDGES: Final = {"logit": LOGIT, "log": LOG}


def index(value: float, edges: tuple[float, ...]) -> int:
    """The bin of a finite value."""
    return bisect_left(edges, value)
