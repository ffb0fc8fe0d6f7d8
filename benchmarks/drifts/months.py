"""False alarms: a month of hours in which nothing happened that anybody should be told of.

Rules, each of every feature and hour:
    Pawl             `pawl.stats.drift.decision` with its defaults; an hour in which nothing can be
                     decided goes on into the next
    same hour        the same against the same hour a week ago, instead of the training data
    PSI > 0.2, 0.1   the index with 0.0001 for empty bins, as most tools have it
    sliding PSI      above 0.2 over the last 60 minutes, looked at every minute; an alarm is when it
                     begins
    p < 0.05         the likelihood-ratio test of one mix, as if rows were independent
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import SupportsInt

import numpy as np

from benchmarks.drifts import traffic
from benchmarks.drifts.traffic import BINS, FEATURES, MONTH, WEEK, Cells, World
from pawl.stats.drift.decision import Finding, Rule, judge
from pawl.stats.drift.homogeneity import p_values
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window, counted
from pawl.stats.metrics import Floats

RULES = {f"f{i}": (Rule(),) for i in range(FEATURES)}
EMPTY = 1e-4


@dataclass
class Month:
    """Alarms by rule, and how many of Pawl's decisions were Inconclusive or had p ≤ 5 %, of one
    model; `held` is the window that could not decide anything."""

    alarms: dict[str, int] = field(default_factory=dict)
    open: int = 0
    low: int = 0
    held: Window | None = None

    def add(self, rule: str, alarms: SupportsInt) -> None:
        self.alarms[rule] = self.alarms.get(rule, 0) + int(alarms)


def month(world: World, seed: int, same_hour: bool = False) -> Month:
    """30 days of one model; with `same_hour`, after a week that is only remembered."""
    generator = np.random.default_rng(seed)
    layout = traffic.reference(world, generator)
    shares = plain_shares(layout.reference[layout.bin_cells])
    found, last, above = Month(), np.empty((0, FEATURES * BINS)), np.zeros(FEATURES, dtype=bool)
    weeks: deque[Window] = deque(maxlen=WEEK)
    warm_up = WEEK if same_hour else 0
    for hour, cells in enumerate(traffic.hours(world, generator, warm_up + MONTH)):
        window = counted(layout, cells)
        if hour >= warm_up:
            judged(found, layout, window, weeks[0] if same_hour else None)
            thumb(found, layout, window, shares)
            last, above = sliding(found, layout, cells, shares, last, above)
        if same_hour:
            weeks.append(window)
    return found


def judged(found: Month, layout: Layout, window: Window, before: Window | None) -> None:
    """Pawl's decisions."""
    longer = window if found.held is None else found.held.merged(window)
    findings = judge(longer, layout, RULES, windows=MONTH)
    decided = any(finding.verdict != "Inconclusive" for finding in findings)
    found.held = None if decided else longer
    found.add("Pawl", failed(findings))
    found.open += sum(finding.verdict == "Inconclusive" for finding in findings)
    found.low += sum(finding.p <= 0.05 for finding in findings)
    if before is not None:
        again = judge(window, layout, RULES, windows=MONTH, reference=before)
        found.add("Pawl, same hour", failed(again))


def failed(findings: list[Finding]) -> int:
    return sum(finding.verdict == "Fail" for finding in findings)


def thumb(found: Month, layout: Layout, window: Window, shares: Floats) -> None:
    """The hour by the usual rules."""
    bins, counts = layout.bins, window.counts[layout.bin_cells]
    index = plain_psi(counts[None], shares)[0]
    found.add("PSI > 0.2", np.count_nonzero(index > 0.2))
    found.add("PSI > 0.1", np.count_nonzero(index > 0.1))
    theirs = layout.reference[layout.bin_cells]
    p = p_values(bins, counts, theirs, bins.sum(counts), bins.sum(theirs))
    found.add("p < 0.05", np.count_nonzero(p < 0.05))


def sliding(
    found: Month, layout: Layout, cells: Cells, shares: Floats, last: Floats, above: np.ndarray
) -> tuple[Floats, np.ndarray]:
    """Every minute's look back over an hour; the minutes and what was above, for the next hour."""
    minutes = cells[:, layout.bin_cells].astype(np.float64)
    if len(last):
        sums = np.cumsum(np.concatenate([last, minutes]), axis=0)
        index = plain_psi(sums[60:] - sums[:-60], shares)
        states = np.concatenate([above[None], index > 0.2])
        found.add("PSI > 0.2, sliding", np.count_nonzero(states[1:] & ~states[:-1]))
        above = states[-1]
    return minutes, above


def plain_shares(counts: Floats) -> Floats:
    """Shares [..., features · bins], none below EMPTY."""
    table = counts.reshape(*counts.shape[:-1], FEATURES, BINS)
    table = table / np.maximum(table.sum(axis=-1, keepdims=True), 1)
    return np.maximum(table, EMPTY).reshape(counts.shape)


def plain_psi(counts: Floats, reference: Floats) -> Floats:
    """[looks, features] of counts [looks, features · bins]."""
    p = plain_shares(counts)
    terms = (p - reference) * np.log(p / reference)
    return terms.reshape(len(counts), FEATURES, BINS).sum(axis=2)
