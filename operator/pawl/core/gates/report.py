"""What a shadow has shown, whether a gate asks for it or not.

The sums of all intervals travel in the report. Differences are kept in bins of twice the width of
`stats.valuehist`: quantiles are at most 15 % too high.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pawl.api.rollout_status import ShadowReport
from pawl.core.gates.rule import rounded
from pawl.stats.shadow import Comparison

_COARSER = 2
_SUMS = (
    "pairs",
    "stable_errors",
    "candidate_errors",
    "labelled",
    "disagreements",
    "valued",
    "shift",
    "stable_seconds",
    "candidate_seconds",
)
_HISTOGRAMS = ("absolute", "relative")


def report(before: ShadowReport | None, comparison: Comparison | None) -> ShadowReport | None:
    """With the pairs of one more interval."""
    if comparison is None or not comparison.pairs:
        return before
    total = comparison + (_load(before.sums) if before is not None else Comparison())
    valued, labelled, pairs = total.valued > 0, total.labelled, total.pairs
    return ShadowReport(
        pairs=pairs,
        disagreement=rounded(total.disagreements / labelled) if labelled else None,
        difference_p50=_quantile(total, "absolute", 0.5) if valued else None,
        difference_p95=_quantile(total, "absolute", 0.95) if valued else None,
        relative_difference_p95=_quantile(total, "relative", 0.95) if valued else None,
        calibration_shift=rounded(total.shift / total.valued) if valued else None,
        latency_ratio=rounded(total.candidate_seconds / total.stable_seconds)
        if total.stable_seconds
        else None,
        stable_error_rate=rounded(total.stable_errors / pairs),
        candidate_error_rate=rounded(total.candidate_errors / pairs),
        sums=_dump(total),
    )


def _quantile(total: Comparison, part: str, q: float) -> float | None:
    found = total.quantile("absolute" if part == "absolute" else "relative", q)
    return rounded(found) if found is not None else None


def _dump(total: Comparison) -> str:
    numbers = [
        rounded(value) if value % 1 else value for value in map(total.__getattribute__, _SUMS)
    ]
    histograms = [_coarse(getattr(total, name)) for name in _HISTOGRAMS]
    return json.dumps([numbers, *histograms], separators=(",", ":"))


def _coarse(counts: Mapping[int, int]) -> dict[str, int]:
    """Each bin joins the upper one of its group, so that nothing looks smaller than it is."""
    found: dict[int, int] = {}
    for bucket, count in counts.items():
        upper = -(-bucket // _COARSER) * _COARSER
        found[upper] = found.get(upper, 0) + count
    return {str(bucket): found[bucket] for bucket in sorted(found)}


def _load(text: str) -> Comparison:
    try:
        numbers, *histograms = json.loads(text)
        values = dict(zip(_SUMS, numbers, strict=True))
        for name, counts in zip(_HISTOGRAMS, histograms, strict=True):
            values[name] = {int(bucket): int(count) for bucket, count in counts.items()}
        return Comparison(**values)
    except (ValueError, TypeError, AttributeError):
        return Comparison()
