"""The verdict on every feature of one tumbling window: Pass, Fail or Inconclusive.

An index above its threshold is no decision: few rows make it large by chance, and sixty features
looked at every hour are 43,200 chances a month. A feature *fails* when both hold:

    the metric, without what chance alone adds to it, exceeds the threshold: it matters;
    the hypothesis of one mix is rejected at α/(features · windows of 30 days): it is not chance.

So in 30 days of a mix that does not change a model has a false alarm with a probability of at most
α = 0.05 (Bonferroni), whatever the threshold. Rows are divided by the design effect of their bursts
(`effect`), in the window and, if that is of live windows too, in the reference.

Inconclusive is what cannot be said yet: with fewer rows than `min_samples` or FIFTY per bin (a bin
of the mean share is then known within ±28 %), or with fewer effective rows than TEN per bin, or
when only the first of the two holds. It passes otherwise. Decide once per window; sliding values
are for display.

Shares of missing, unseen and out-of-range values are judged against a largest excess over the
reference's share (0 for values out of range), also at an α of its own: fail when the lower bound of
the share lies above. The bound is Chernoff's, as sharpened by Hoeffding (1963, theorem 1),
P(share ≥ p) ≤ exp(−n·KL(p‖limit)): true for every n, any effective n too, and at one in a million
where normal bounds are wrong for rare events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pawl.stats.drift import divergences, effect
from pawl.stats.drift.divergences import DEFAULTS, FINE, Metric
from pawl.stats.drift.homogeneity import p_values
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window
from pawl.stats.metrics import Floats
from pawl.stats.sequential.evidence import Verdict

ALPHA = 0.05
MIN_SAMPLES, FIFTY, TEN = 500, 50, 10
#: Why a verdict is Inconclusive.
Why = Literal["", "TooFewRows", "TooAlike", "NoReference", "NotProven"]
Quality = Literal["missing", "unseen", "outOfRange"]
Flags = NDArray[np.bool_]

_OUTCOMES: tuple[tuple[Verdict, Why], ...] = (
    ("Inconclusive", "NoReference"),
    ("Inconclusive", "TooFewRows"),
    ("Inconclusive", "TooAlike"),
    ("Fail", ""),
    ("Inconclusive", "NotProven"),
    ("Pass", ""),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a feature is judged by; the threshold is the metric's default unless told."""

    metric: Metric = "psi"
    threshold: float | None = None

    @property
    def limit(self) -> float:
        """The threshold that holds."""
        return DEFAULTS[self.metric] if self.threshold is None else self.threshold

    def fitting(self, kind: str) -> Rule:
        """A category has no order: by psi and its default where ks or wasserstein was told."""
        return Rule() if kind == "category" and self.metric in FINE else self


@dataclass(frozen=True, slots=True)
class Finding:
    """One feature in one window. `value` is corrected for chance, `samples` are rows with a value
    (for `missing`: all rows), `effect` is their design effect."""

    name: str
    metric: Metric | Quality
    value: float
    threshold: float
    p: float
    samples: int
    effect: float
    verdict: Verdict
    why: Why = ""


def judge(
    window: Window,
    layout: Layout,
    rules: Sequence[Rule],
    *,
    windows: float,
    reference: Window | None = None,
    min_samples: int = MIN_SAMPLES,
) -> list[Finding]:
    """One finding per feature, by one rule each, in the order of the layout.

    `windows` are decided in 30 days. `reference` takes the place of the layout's: counts of the
    same cells in earlier windows. ValueError when a metric needs fine bins that are not there.
    """
    told = [rule.fitting(f.kind) for rule, f in zip(rules, layout.features, strict=True)]
    at, size = layout.bin_cells, len(told)
    counts = window.counts[at]
    theirs = (layout.reference if reference is None else reference.counts)[at]
    n, m = layout.bins.sum(counts), layout.bins.sum(theirs)
    ours, base = effect.of_bins(window, layout), _base(layout, reference)
    p = p_values(layout.bins, counts, theirs, n / ours.raised, m / base.raised)
    bins = layout.bins.sum((counts > 0) | (theirs > 0))
    chance = (bins - 1) * (ours.value / np.maximum(n, 1) + base.value / np.maximum(m, 1))
    value = np.zeros(size)
    for metric in dict.fromkeys(rule.metric for rule in told):
        found = divergences.measured(metric, window, layout, reference)
        found = divergences.corrected(metric, found, chance)
        value = np.where([rule.metric == metric for rule in told], found, value)
    limit = np.array([rule.limit for rule in told])
    few = n < np.maximum(min_samples, FIFTY * bins)
    alike = n / ours.value < TEN * bins
    verdicts = _verdicts(m == 0, few, alike, value > limit, p <= ALPHA / (size * windows))
    columns = (value, limit, p, n, ours.value)
    return _findings([rule.metric for rule in told], layout, columns, verdicts)


def judge_quality(
    window: Window,
    layout: Layout,
    metric: Quality,
    maximum: float,
    *,
    windows: float,
    reference: Window | None = None,
    min_samples: int = MIN_SAMPLES,
) -> list[Finding]:
    """One finding per feature that can have such values, on what their share exceeds the
    reference's by: `missing` of all rows, `unseen` (in no category of the reference) and
    `outOfRange` of those with a value. α is split over the features that are judged."""
    chosen = np.array(
        [
            i
            for i, feature in enumerate(layout.features)
            if metric == "missing" or (metric == "unseen") == (feature.kind == "category")
        ],
        dtype=np.int64,
    )
    every = layout.missing if metric == "missing" else layout.extra
    of_all = int(metric == "missing")
    ours = effect.of_cells(window, layout, every)
    base, rows = effect.none(layout), _rows(layout)
    counts, whole = layout.reference[every], rows[of_all]
    if reference is not None:
        base = effect.of_cells(reference, layout, every)
        counts, whole = reference.counts[every], reference.whole[of_all]
    n, m = window.whole[of_all], whole
    share = window.counts[every] / np.maximum(n, 1)
    before = counts / np.maximum(m, 1)
    known = before > 0  # a share of 0 is what the reference says for certain of its own rows
    effective = 1.0 / (
        ours.raised / np.maximum(n, 1) + np.where(known, base.raised / np.maximum(m, 1), 0.0)
    )
    p = _chernoff(share, np.minimum(before + maximum, 1.0), effective)
    over = share - before > maximum
    verdicts = _verdicts(
        m == 0, n < min_samples, np.zeros(len(n), bool), over, p <= ALPHA / (len(chosen) * windows)
    )
    limit = np.full(len(n), maximum)
    columns = (np.maximum(share - before, 0.0), limit, p, n, ours.value)
    findings = _findings([metric] * len(n), layout, columns, verdicts)
    return [findings[i] for i in chosen]


def _base(layout: Layout, reference: Window | None) -> effect.Effect:
    return effect.none(layout) if reference is None else effect.of_bins(reference, layout)


def _rows(layout: Layout) -> Floats:
    """[2, F] rows of the layout's reference: with a value, and all."""
    present = layout.bins.sum(layout.reference[layout.bin_cells])
    return np.stack([present, present + layout.reference[layout.missing]])


def _chernoff(share: Floats, limit: Floats, n: Floats) -> Floats:
    """The bound on P(share or more) where the true one is the limit; 1 at or below it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = np.where(share > 0, share * np.log(share / limit), 0.0)
        lower = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - limit)), 0.0)
    return np.where(share > limit, np.exp(-n * (upper + lower)), 1.0)


def _verdicts(unknown: Flags, few: Flags, alike: Flags, over: Flags, proved: Flags) -> list[int]:
    """Places in `_OUTCOMES`: of the first that holds."""
    cases = [unknown, few, alike, over & proved, over]
    which: list[int] = np.select(cases, range(len(cases)), len(cases)).tolist()
    return which


def _findings(
    metrics: Sequence[Metric | Quality],
    layout: Layout,
    columns: tuple[Floats, ...],
    which: list[int],
) -> list[Finding]:
    lists = [column.tolist() for column in columns]
    return [
        Finding(feature.name, metric, value, limit, p, int(n), ours, *_OUTCOMES[at])
        for feature, metric, value, limit, p, n, ours, at in zip(
            layout.features, metrics, *lists, which, strict=True
        )
    ]
