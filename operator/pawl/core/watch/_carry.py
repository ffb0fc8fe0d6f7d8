"""What a decided window leaves to the next one.

A feature of many bins, or whose rows come in bursts, may need more rows than a window has. It is
not judged then, and what was counted of it goes on into the next window, until it is judged or the
oldest of it is `maxWindow` old. So no row is judged twice, and no feature never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pawl.stats.drift.decision import Finding, Why
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window

_MORE: tuple[Why, ...] = ("TooFewRows", "TooAlike")


@dataclass(frozen=True)
class Carry:
    """Counts of windows before the running one: of so many rows, the oldest of `since` (epoch
    seconds)."""

    since: int
    rows: int


def waiting(findings: Iterable[Finding]) -> set[str]:
    """The features that need more rows."""
    return {f.feature for f in findings if f.why in _MORE}


def unjudged(findings: Iterable[Finding], window: Window, layout: Layout) -> Window | None:
    """What was counted of those; None when there are none."""
    names = waiting(findings)
    mask = np.array([feature.name in names for feature in layout.features], dtype=bool)
    return window.only(layout, mask) if mask.any() else None
