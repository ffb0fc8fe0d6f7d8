"""The verdict on every feature of one tumbling window: Pass, Fail or Inconclusive.

An index above its threshold is no decision: few rows make it large by chance, and sixty features
looked at every hour are 43,200 chances a month. A feature *fails* when both hold:

    the metric, without what chance alone adds to it, exceeds the threshold: it matters;
    the hypothesis of one mix is rejected at α/(rules · windows of 30 days): it is not chance.

So in 30 days of a mix that does not change a model has a false alarm with a probability of at most
α = 0.05 (Bonferroni), whatever the thresholds. Rows are divided by the design effect of their
bursts (`effect`), in the window and, if that is of live windows too, in the reference.

Inconclusive is what cannot be said yet: with fewer rows than `min_samples` or FIFTY per bin (a bin
of the mean share is then known within ±28 %), with fewer effective rows than TEN per bin, both in
the window and in a reference of live windows, or when only the first of the two holds. It passes
otherwise. Decide once per window; sliding values are for display.

Shares of missing, unseen and out-of-range values fail when they exceed the reference's share (0 of
values out of range) by more than the threshold, at the same α. The p-value is Chernoff's bound, as
sharpened by Hoeffding (1963, theorem 1), P(share ≥ p) ≤ exp(−n·KL(p‖limit)): true for every n, any
effective n too, and at one in a million, where normal bounds are wrong for rare events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pawl.stats.drift import divergences, effect
from pawl.stats.drift.divergences import DEFAULTS, FINE, Metric
from pawl.stats.drift.homogeneity import p_values
from pawl.stats.drift.layout import Layout
from pawl.stats.drift.window import Window
from pawl.stats.metrics import Floats, Ints
from pawl.stats.sequential.evidence import Verdict

ALPHA = 0.05
MIN_SAMPLES, FIFTY, TEN = 500, 50, 10
#: Why a verdict is Inconclusive.
Why = Literal["", "TooFewRows", "TooAlike", "NoReference", "NotProven"]
Quality = Literal["missing", "unseen", "out_of_range"]
Flags = NDArray[np.bool_]
_DEFAULTS: dict[str, float] = {**DEFAULTS, "missing": 0.05, "unseen": 0.05, "out_of_range": 0.05}
_ASKED_OF = {"unseen": "category", "out_of_range": "numeric"}

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

    metric: Metric | Quality = "psi"
    threshold: float | None = None

    @property
    def limit(self) -> float:
        """The threshold that holds."""
        return _DEFAULTS[self.metric] if self.threshold is None else self.threshold

    def fitting(self, kind: str) -> Rule:
        """A category has no order: by psi and its default where ks or wasserstein was told.
        ValueError when a feature of this kind cannot have such values."""
        if _ASKED_OF.get(self.metric, kind) != kind:
            raise ValueError(f"{self.metric} is not asked of a {kind} feature")
        return Rule() if kind == "category" and self.metric in FINE else self


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of one feature. `value` is corrected for chance (of a share: its excess
    over the reference's), `samples` are rows with a value (for `missing`: all rows), `effect` is
    their design effect."""

    feature: str
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
    rules: Mapping[str, Sequence[Rule]],
    *,
    windows: float,
    reference: Window | None = None,
    min_samples: int = MIN_SAMPLES,
) -> list[Finding]:
    """One finding per rule, in the order of the layout; features without rules are not judged.

    `windows` are decided in 30 days. `reference` takes the place of the layout's: counts of the
    same cells in earlier windows. ValueError when a metric needs fine bins that are not there.
    """
    asked = [
        (at, rule.fitting(feature.kind))
        for at, feature in enumerate(layout.features)
        for rule in rules.get(feature.name, ())
    ]
    alpha = ALPHA / max(len(asked) * windows, 1.0)
    both = _Both(window, layout, reference, min_samples)
    mixes = _mixes(both) if any(_of_mix(rule.metric) for _, rule in asked) else None
    found: dict[tuple[int, Rule], Finding] = {}
    for metric in dict.fromkeys(rule.metric for _, rule in asked):
        group = [(at, rule) for at, rule in asked if rule.metric == metric]
        where, limit = np.array([at for at, _ in group]), np.array([r.limit for _, r in group])
        if mixes is not None and _of_mix(metric):
            seen = _distance(both, mixes, metric, where)
        else:
            seen = _share(both, metric, where, limit)
        findings = _findings(layout, group, limit, seen, seen.p <= alpha)
        found.update(zip(group, findings, strict=True))
    return [found[key] for key in asked]


@dataclass(frozen=True, slots=True)
class _Both:
    """What is compared."""

    window: Window
    layout: Layout
    reference: Window | None
    min_samples: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """Of some features, side by side; `chance` is what it alone adds to their psi."""

    value: Floats
    chance: Floats
    p: Floats
    n: Floats
    effect: Floats
    unknown: Flags
    few: Flags
    alike: Flags


def _of_mix(metric: str) -> TypeGuard[Metric]:
    return metric in DEFAULTS


def _mixes(both: _Both) -> _Seen:
    """All features by the test of their mix; values are still 0."""
    layout, bins = both.layout, both.layout.bins
    counts = both.window.counts[layout.bin_cells]
    ours = effect.of_bins(both.window, layout)
    if both.reference is None:
        theirs, base = layout.reference[layout.bin_cells], effect.none(layout)
    else:
        theirs = both.reference.counts[layout.bin_cells]
        base = effect.of_bins(both.reference, layout)
    n, m = bins.sum(counts), bins.sum(theirs)
    used = bins.sum((counts > 0) | (theirs > 0))
    least, effective = n, n / ours.value
    if both.reference is not None:
        least, effective = np.minimum(n, m), np.minimum(effective, m / base.value)
    return _Seen(
        value=np.zeros(len(n)),
        chance=(used - 1) * (ours.value / np.maximum(n, 1) + base.value / np.maximum(m, 1)),
        p=p_values(bins, counts, theirs, n / ours.raised, m / base.raised),
        n=n,
        effect=ours.value,
        unknown=m == 0,
        few=least < np.maximum(both.min_samples, FIFTY * used),
        alike=effective < TEN * used,
    )


def _distance(both: _Both, mixes: _Seen, metric: Metric, where: Ints) -> _Seen:
    """The features `where`, with the metric as their value."""
    value = divergences.measured(metric, both.window, both.layout, both.reference)
    value = divergences.corrected(metric, value, mixes.chance)
    columns = {field.name: getattr(mixes, field.name)[where] for field in fields(_Seen)}
    return replace(_Seen(**columns), value=value[where])


def _share(both: _Both, metric: str, where: Ints, limit: Floats) -> _Seen:
    """The features `where`, with how far the share of such values exceeds the reference's."""
    layout, of_all = both.layout, int(metric == "missing")
    cells = (layout.missing if of_all else layout.extra)[where]
    ours = effect.of_cells(both.window, layout, where, cells)
    n = both.window.whole[of_all, where]
    if both.reference is None:
        m, before, noise = _rows(layout)[of_all, where], layout.reference[cells], np.ones(len(n))
    else:
        m, before = both.reference.whole[of_all, where], both.reference.counts[cells]
        noise = effect.of_cells(both.reference, layout, where, cells).raised
    share, usual = both.window.counts[cells] / np.maximum(n, 1), before / np.maximum(m, 1)
    # a share that the reference has is known as well as its rows tell; one of 0 is the limit itself
    unsure = np.where(before > 0, noise / np.maximum(m, 1), 0.0)
    none = np.zeros(len(n), dtype=bool)
    return _Seen(
        value=np.maximum(share - usual, 0.0),
        chance=np.zeros(len(n)),
        p=_chernoff(share, np.minimum(usual + limit, 1.0), ours.raised / np.maximum(n, 1) + unsure),
        n=n,
        effect=ours.value,
        unknown=m == 0,
        few=(n if both.reference is None else np.minimum(n, m)) < both.min_samples,
        alike=none,
    )


def _rows(layout: Layout) -> Floats:
    """[2, F] rows of the layout's reference: with a value, and all."""
    present = layout.bins.sum(layout.reference[layout.bin_cells])
    return np.stack([present, present + layout.reference[layout.missing]])


def _chernoff(share: Floats, limit: Floats, variance: Floats) -> Floats:
    """The bound on P(share or more) where the true one is the limit, of 1/variance rows; 1 at or
    below it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = np.where(share > 0, share * np.log(share / limit), 0.0)
        lower = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - limit)), 0.0)
    return np.where(share > limit, np.exp(-(upper + lower) / variance), 1.0)


def _findings(
    layout: Layout, group: Sequence[tuple[int, Rule]], limit: Floats, seen: _Seen, proved: Flags
) -> Iterator[Finding]:
    over = seen.value > limit
    cases = [seen.unknown, seen.few, seen.alike, over & proved, over]
    outcomes = np.select(cases, range(len(cases)), len(cases)).tolist()
    columns = (seen.value, limit, seen.p, seen.n, seen.effect)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    for (at, rule), (value, most, p, n, effect_), outcome in zip(
        group, numbers, outcomes, strict=True
    ):
        name = layout.features[at].name
        yield Finding(name, rule.metric, value, most, p, int(n), effect_, *_OUTCOMES[outcome])
