"""One look at what the stable version saw: is the running window over, and what does it say?

Windows follow each other without a gap, from the moment on at which a version became the stable
one. Each decides once, when it is over and has enough rows; with too few it is extended, up to
`maxWindow`, and then it is Inconclusive. In between, what is shown of it is for the eye only.
What was counted of features that needed more rows than others goes on (`_carry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pawl.api.base import Verdict
from pawl.api.deployment import ServedVersion
from pawl.api.drift import DriftSpec
from pawl.api.drift_status import Concern, DriftFinding, DriftStatus, DriftWindow
from pawl.api.duration import seconds, words
from pawl.core.conditions import parse_timestamp, timestamp
from pawl.core.watch._carry import Carry, unjudged, waiting
from pawl.core.watch._rules import QUALITY, name_of, rules, unknown
from pawl.core.watch.baseline import NoBaseline, grid
from pawl.stats.drift.decision import Finding, Rule, judge
from pawl.stats.drift.layout import PREDICTION, Layout
from pawl.stats.drift.window import Window

#: Seconds from one look at the running window to the next.
LOOK = 300
#: Seconds of a block. Rows of one user or burst should fall into the same one, but a decision
#: wants ten blocks and more.
_BLOCKS, _MANY = (60, 10, 1), 10
_MONTH = 30 * 86_400
_SHOWN, _NAMED = 5, 10
_LARGE = 1e9


@dataclass(frozen=True)
class DriftObserved:
    """What was counted of the window of `version` that began at `start`, up to `to` (epoch
    seconds).

    It is compared with `reference`, or with the layout's without one; with nothing where there is
    `no_baseline`. `hours` are over and not in the store yet: hour since 1970 -> as `Window.dump`
    gave it. `window` holds what was `carried` from earlier ones too."""

    version: str
    start: int
    to: int
    layout: Layout
    window: Window
    carried: Carry | None = None
    reference: Window | None = None
    no_baseline: NoBaseline | None = None
    hours: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """In the running window alone."""
        return max(self.window.rows - (self.carried.rows if self.carried is not None else 0), 0)


@dataclass(frozen=True)
class Watch:
    """What follows: the status, and the window that was decided just now, if one was; then also
    the counts that the next one begins with, if any."""

    status: DriftStatus
    decided: DriftWindow | None = None
    carry: Carry | None = None
    carried: Window | None = None


def watch(
    spec: DriftSpec,
    old: DriftStatus | None,
    stable: ServedVersion,
    seen: DriftObserved | None,
    now: datetime,
) -> Watch:
    """The next state. What was counted of another version or window counts for nothing."""
    block = block_seconds(spec)
    length = max(seconds(spec.window) // block, 1) * block
    step = grid(spec, length, block)
    latest = now.timestamp() + step
    if seen is not None and seen.to > latest:
        old, seen = None, None  # the clock was set back: nothing would be counted until then
    if old is None or old.version != stable.name or _epoch(old.window_start) > latest:
        known = seen is not None and seen.version == stable.name
        start = seen.start if seen is not None and known else _next(now, step)
        old = _begun(stable.name, start, length)
    if old.decided is not None and old.decided.rules != name_of(spec):
        old = old.model_copy(update={"decided": None})  # by other limits than those of now
    if seen is None or (seen.version, seen.start) != (stable.name, _epoch(old.window_start)):
        return Watch(old)
    if _epoch(old.window_end) > seen.to + length:  # windows have become shorter
        old = old.model_copy(update={"window_end": _time(seen.to + length)})
    if seen.to < _epoch(old.window_end):
        return Watch(_looked(old, spec, seen, now))
    findings = _judged(spec, seen)
    decided = _decide(spec, seen, findings)
    longest = seconds(spec.max_window)
    if decided.reason == "TooFewRows" and seen.to - seen.start + length <= longest:
        end = max(_epoch(old.window_end), seen.to) + length
        return Watch(old.model_copy(update={"window_end": _time(end)}))
    following = _begun(stable.name, seen.to, length)
    more = {"decided": decided, "windows": old.windows + 1}
    return Watch(
        following.model_copy(update=more), decided, *_carried(spec, seen, findings, length)
    )


def _carried(
    spec: DriftSpec, seen: DriftObserved, findings: list[Finding], length: int
) -> tuple[Carry | None, Window | None]:
    """Nothing where hours are compared with the same ones of the week before."""
    since = seen.carried.since if seen.carried is not None else seen.start
    if spec.baseline == "sameHourLastWeek" or seen.to - since + length > seconds(spec.max_window):
        return None, None
    left = unjudged(findings, seen.window, seen.layout)
    return (None, None) if left is None else (Carry(since, left.rows), left)


def block_seconds(spec: DriftSpec) -> int:
    """How long rows are counted together: a minute, less in windows of a few minutes. Fine bins
    are not counted by the second, and nobody scrapes every second."""
    seldom = spec.fine or spec.source == "Prometheus"
    length, blocks = seconds(spec.window), _BLOCKS[:-1] if seldom else _BLOCKS
    return next((block for block in blocks if length >= _MANY * block), blocks[-1])


def _decide(spec: DriftSpec, seen: DriftObserved, findings: list[Finding]) -> DriftWindow:
    failed = [f for f in findings if f.verdict == "Fail"]
    judged = [f for f in findings if f.verdict != "Inconclusive"]
    verdict: Verdict = "Fail" if failed else "Pass" if judged else "Inconclusive"
    reason = "TooFewRows" if verdict == "Inconclusive" else ""
    if seen.no_baseline is not None and not failed:
        verdict, reason = "Inconclusive", seen.no_baseline.reason
    base = DriftWindow(
        start=_time(seen.start),
        end=_time(seen.to),
        samples=seen.rows,
        rules=name_of(spec),
        judged=len({f.feature for f in judged}),
        verdict=verdict,
        reason=reason,
        drifted=tuple(dict.fromkeys(f.feature for f in failed))[:_NAMED],
        failed=len({f.feature for f in failed}),
        concerns=tuple(sorted({_concern(f) for f in failed})),
        worst=tuple(_shown(f) for f in findings[:_SHOWN]),
    )
    left = len(waiting(findings)) if judged else 0
    more = f"the mix of {left} needs more rows than that" if left else ""
    sentences = (_sentence(base, seen.no_baseline), more, unknown(spec, seen.layout))
    return base.model_copy(update={"message": "; ".join(filter(None, sentences))[:512]})


def _sentence(window: DriftWindow, lack: NoBaseline | None) -> str:
    rows = f"{window.samples:,} rows from {window.start} to {window.end}"
    if window.verdict == "Inconclusive" and lack is not None:
        return f"{rows}: {lack.message}"[:512]
    if window.verdict == "Inconclusive":
        return f"{rows} are too few to judge, or chance is not ruled out"
    if window.verdict == "Pass":
        return f"{window.judged} features are like the baseline in {rows}"
    told = ", ".join(
        f"{f.feature} {f.metric} {f.value:.3g} > {f.threshold:g}"
        for f in window.worst
        if f.verdict == "Fail"
    )
    return f"{window.failed} of {window.judged} are not like the baseline in {rows}: {told}"[:512]


def _judged(spec: DriftSpec, seen: DriftObserved) -> list[Finding]:
    """Failed ones first, then by how near they are to their thresholds."""
    asked = rules(spec, seen.layout)
    if seen.no_baseline is not None:
        asked = {name: tuple(filter(_of_quality, some)) for name, some in asked.items()}
    findings = judge(
        seen.window,
        seen.layout,
        asked,
        reference=seen.reference,
        min_samples=spec.min_samples,
        windows=_MONTH / max(seconds(spec.window), 1),
    )
    return sorted(findings, key=lambda f: (f.verdict != "Fail", -_excess(f), f.feature, f.metric))


def _of_quality(rule: Rule) -> bool:
    return rule.metric in QUALITY


def _excess(finding: Finding) -> float:
    return finding.value / finding.threshold if finding.threshold else finding.value * 1e9


def _looked(
    status: DriftStatus, spec: DriftSpec, seen: DriftObserved, now: datetime
) -> DriftStatus:
    """With the running window's values, every few minutes."""
    checked = status.checked_at
    if checked is not None and (now - parse_timestamp(checked)).total_seconds() < LOOK:
        return status
    worst = tuple(_shown(replace(f, verdict="Inconclusive")) for f in _judged(spec, seen)[:_SHOWN])
    more = {"samples": seen.rows, "worst": worst, "checked_at": timestamp(now)}
    return status.model_copy(update=more)


def _shown(finding: Finding) -> DriftFinding:
    return DriftFinding(
        feature=finding.feature[:128],
        metric=finding.metric,
        # of a constant that moves, wasserstein is infinite, which no status can say
        value=round(finding.value, 5) if finding.value < _LARGE else _LARGE,
        threshold=finding.threshold,
        p_value=float(f"{finding.p:.3g}"),
        verdict=finding.verdict,
    )


def _concern(finding: Finding) -> Concern:
    if finding.metric in QUALITY:
        return "quality"
    return "prediction" if finding.feature == PREDICTION else "features"


def stale(spec: DriftSpec, made: datetime | None, now: datetime) -> str:
    """A sentence when the stable version was made too long ago, else nothing."""
    if spec.stale_after is None or made is None:
        return ""
    age = (now - made).total_seconds()
    if age < seconds(spec.stale_after):
        return ""
    return f"it was made {words(age)} ago (staleAfter {spec.stale_after})"


def _begun(version: str, start: int, length: int) -> DriftStatus:
    return DriftStatus(version=version, window_start=_time(start), window_end=_time(start + length))


def _next(now: datetime, block: int) -> int:
    """When the next block begins."""
    return -(-int(now.timestamp()) // block) * block


def _epoch(text: str) -> int:
    return int(parse_timestamp(text).timestamp())


def _time(second: int) -> str:
    return timestamp(datetime.fromtimestamp(second, UTC))
