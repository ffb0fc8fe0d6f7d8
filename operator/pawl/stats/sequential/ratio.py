"""Sample-ratio mismatch: does the candidate get the share of the traffic that it was given?

When it does not, requests are lost or double somewhere between router and count, and every other
comparison is worth nothing. Per interval the candidate's count is Binomial(n, share); the e-value
is the likelihood ratio of a share whose odds differ by exp(±TILTS), mixed over these. Lindon &
Malek (2022) mix over a Dirichlet distribution around one fixed share; tilts of the odds gather
evidence across steps of different share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pawl.stats.sequential.evidence import add, mixture, pack, unpack

ALPHA = 0.001
TILTS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
ALL = tuple(sign * tilt for sign in (-1, 1) for tilt in TILTS)
_WEIGHTS = (1 / len(ALL),) * len(ALL)
_TAG = "srm1"


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Requests of both arms, how many the candidate should have had, log-wealth of each bet."""

    stable_n: int = 0
    candidate_n: int = 0
    expected: float = 0.0
    wealth: tuple[float, ...] = (0.0,) * len(ALL)
    most: float = 0.0
    design_effect: float = 1.0

    @property
    def log_mismatch(self) -> float:
        """log e-value against "the shares are as configured"."""
        return mixture(_WEIGHTS, self.wealth, self.design_effect)

    def mismatch(self, alpha: float = ALPHA) -> bool:
        """Whether it was ever proved at α."""
        return self.most >= -math.log(alpha)

    def dump(self) -> str:
        """One line, about 220 characters."""
        counts = (self.stable_n, self.candidate_n, self.expected)
        return pack(_TAG, [*counts, *self.wealth, self.most, self.design_effect])


def start() -> SampleRatio:
    """Nothing seen."""
    return SampleRatio()


def load(text: str) -> SampleRatio:
    """A dumped state. ValueError when it is not one."""
    n = unpack(text, _TAG, 5 + len(ALL))
    return SampleRatio(round(n[0]), round(n[1]), n[2], tuple(n[3:-2]), n[-2], n[-1])


def update(
    state: SampleRatio,
    stable_n: int,
    candidate_n: int,
    *,
    share: float,
    design_effect: float = 1.0,
) -> SampleRatio:
    """The state after an interval with the candidate's configured `share` in (0, 1).

    Without sticky users `design_effect` is 1; with them, `clusters.share_design_effect`, because a
    user's requests all go the same way.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share lies between 0 and 1, not {share:g}")
    found = []
    for tilt in ALL:
        change = math.log1p(share * math.expm1(tilt))
        found.append(candidate_n * (tilt - change) - stable_n * change)
    moved = replace(
        state,
        stable_n=state.stable_n + stable_n,
        candidate_n=state.candidate_n + candidate_n,
        expected=state.expected + share * (stable_n + candidate_n),
        wealth=add(state.wealth, found),
        design_effect=max(design_effect, 1.0),
    )
    return replace(moved, most=max(moved.most, moved.log_mismatch))
