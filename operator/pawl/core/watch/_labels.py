"""Performance and fairness of the stable version, as truth that comes in later tells: decided once
per window, like drift."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pawl.api.drift import DriftSpec, Fairness, Performance
from pawl.api.drift_status import LabelFinding, LabelStatus
from pawl.api.duration import seconds
from pawl.core.conditions import parse_timestamp, timestamp
from pawl.core.watch.tally import Tally
from pawl.stats.drift import fairness, performance
from pawl.stats.drift.performance import Confusion, Errors

#: Seconds from one look at the running window to the next.
_LOOK = 300
#: Seconds of a block, and in windows of a few minutes.
_BLOCK, _SHORT = 60, 10


def labels(
    spec: DriftSpec,
    old: LabelStatus | None,
    seen: Tally | None,
    baseline: Mapping[str, float],
    now: datetime,
) -> LabelStatus | None:
    """The next state; None when neither is asked for. `old` and `seen` are of the stable version,
    `baseline` are its metrics on test rows."""
    if spec.performance is None and spec.fairness is None:
        return None
    window, delay = map(seconds, spec.labels)
    first = -(-int(now.timestamp() + delay) // label_block(spec)) * label_block(spec)
    if seen is not None and seen.to > max(seen.start, now.timestamp() + label_block(spec)):
        old, seen = None, None  # the clock was set back: nothing would be counted until then
    if old is None or _epoch(old.window_start) > first:
        start = first
        start = seen.start if seen is not None else start
        old = LabelStatus(window_start=_time(start), window_end=_time(start + window))
    old = still(old, spec, baseline)
    if seen is None or _time(seen.start) != old.window_start:
        return old
    if _epoch(old.window_end) > seen.to + window:  # windows have become shorter
        old = old.model_copy(update={"window_end": _time(seen.to + window)})
    if seen.to < _epoch(old.window_end):
        return _looked(old, seen, now)
    return LabelStatus(
        window_start=_time(seen.to),
        window_end=_time(seen.to + window),
        decided_at=timestamp(now),
        performance=_performance(spec.performance, seen, baseline),
        fairness=_fairness(spec.fairness, seen),
    )


def label_block(spec: DriftSpec) -> int:
    """How long feedback is counted together."""
    return _BLOCK if seconds(spec.labels[0]) >= 10 * _BLOCK else _SHORT


def still(old: LabelStatus, spec: DriftSpec, baseline: Mapping[str, float]) -> LabelStatus:
    """Without verdicts by other limits than those that the spec has by now."""
    told, asked = old.performance, spec.performance
    if asked is None or not _by(told, asked.metric, _limit(asked, baseline)):
        told = None
    fair, wanted = old.fairness, spec.fairness
    if wanted is None or not _by(fair, wanted.metric, wanted.max):
        fair = None
    return old.model_copy(update={"performance": told, "fairness": fair})


def _by(found: LabelFinding | None, metric: str, limit: float | None) -> bool:
    """Whether it was found by this limit; there may have been nothing to compare with it."""
    return found is not None and found.metric == metric and found.limit in (None, limit)


def _looked(old: LabelStatus, seen: Tally, now: datetime) -> LabelStatus:
    """With the rows so far, every few minutes."""
    if now.timestamp() // _LOOK == (now.timestamp() - _BLOCK) // _LOOK and old.samples:
        return old
    return old.model_copy(update={"samples": seen.labelled})


def _performance(
    spec: Performance | None, seen: Tally, baseline: Mapping[str, float]
) -> LabelFinding | None:
    if spec is None:
        return None
    limit = _limit(spec, baseline)
    if limit is None:
        text = f"the version has no {spec.metric} on test rows to compare with"
        return LabelFinding(metric=spec.metric, verdict="Inconclusive", message=text)
    unfit = _unfit(spec.metric, seen)
    if unfit:
        text = f"drift.performance.metric: {unfit}"
        return LabelFinding(metric=spec.metric, limit=limit, verdict="Inconclusive", message=text)
    judged = performance.judge(spec.metric, _seen(spec.metric, seen), limit, effect=seen.effect)
    found = judged.estimate
    rows = f"{found.n if found else 0:,} answers whose truth is known"
    words = {"Fail": "is proved to be beyond", "Pass": "keeps to"}.get(judged.verdict, "against")
    value = f"{spec.metric} {found.value:.4g}" if found else spec.metric
    return LabelFinding(
        metric=spec.metric,
        value=round(found.value, 6) if found else None,
        interval=(round(found.lower, 6), round(found.upper, 6)) if found else (),
        limit=limit,
        samples=found.n if found else 0,
        verdict=judged.verdict,
        message=f"{value} {words} {limit:.4g}, by {rows}",
    )


def _limit(spec: Performance, baseline: Mapping[str, float]) -> float | None:
    """None when the version has no such metric to compare with."""
    by, usual = spec.not_worse_than_baseline_by, baseline.get(spec.metric)
    if by is None:
        return spec.max if spec.min is None else spec.min
    return None if usual is None else performance.limit_from(spec.metric, usual, by)


def _unfit(metric: str, seen: Tally) -> str:
    """Why the answers have no such metric; nothing when they have, or none is known."""
    if not seen.labelled:
        return ""
    numbers = bool(seen.errors) or seen.error_squares > 0
    if numbers and metric not in ("mae", "rmse"):
        return f"{metric} is of classes, and the model answers with numbers; choose mae or rmse"
    if not numbers and metric in ("mae", "rmse"):
        return f"{metric} is of numbers, and the model answers with classes; choose accuracy"
    if not numbers and metric != "accuracy" and seen.confusion == Confusion():
        return f"{metric} is of two classes, and the model has others; choose accuracy"
    return ""


def _seen(metric: str, seen: Tally) -> Confusion | Errors:
    if metric in ("mae", "rmse"):
        return Errors.of(seen.labelled, seen.error, seen.error_squares, seen.errors)
    if metric == "accuracy":  # of any number of classes, and of labels that were never given
        return Confusion(tp=seen.labelled - seen.wrong, fn=seen.wrong)
    return seen.confusion


def _fairness(spec: Fairness | None, seen: Tally) -> LabelFinding | None:
    if spec is None:
        return None
    if spec.metric == "demographic_parity_difference":
        judged = fairness.demographic_parity(seen.groups, spec.max, effect=seen.effect)
    elif spec.metric == "equal_opportunity_difference":
        judged = fairness.equal_opportunity(seen.group_confusion, spec.max, effect=seen.effect)
    else:
        judged = fairness.equalised_odds(seen.group_confusion, spec.max, effect=seen.effect)
    if not judged.gaps:
        text = f"fewer than two groups of {spec.attribute} have enough rows"
        return LabelFinding(metric=spec.metric, verdict="Inconclusive", message=text)
    worst, few = judged.failed[0] if judged.failed else judged.gaps[0], ""
    if judged.few:
        few = f"; too few rows of {', '.join(sorted(judged.few))}"
    found = worst.difference
    return LabelFinding(
        metric=spec.metric,
        value=round(found.value, 6),
        interval=(round(found.lower, 6), round(found.upper, 6)),
        limit=spec.max,
        samples=found.n,
        verdict=judged.verdict,
        message=f"{spec.attribute}: {worst.high} is {found.value:.3g} above {worst.low} "
        f"(at most {spec.max:g}){few}"[:512],
    )


def _epoch(text: str) -> int:
    return int(parse_timestamp(text).timestamp())


def _time(second: int) -> str:
    return timestamp(datetime.fromtimestamp(second, UTC))
