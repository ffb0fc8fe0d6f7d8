"""How each kind of gate takes one more interval in (`pawl.stats.sequential` holds the statistics).

A rule is `(gate, definition, sample, alphas) -> gate`: pure, and the evidence travels in the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pawl.api.rollout_status import ArmStatus, RolloutGate
from pawl.core.gates.definition import Definition
from pawl.core.gates.sample import Sample
from pawl.core.measurement import Counts
from pawl.stats import loghist
from pawl.stats.sequential import latency, mean, proportions, psi, ratio
from pawl.stats.sequential.proportions import Interval
from pawl.stats.shadow import Part

#: So often in a row a query must be inside or outside of its limits.
_IN_A_ROW = 3
#: A p99 of fewer requests is noise.
_FEWEST_P99 = 10_000


@dataclass(frozen=True)
class Alphas:
    """How often a gate may fail a version that is as good, or pass one that is worse."""

    fail: float
    passing: float


Rule = Callable[[RolloutGate, Definition, Sample, Alphas], RolloutGate]


def error_rate(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Requests that failed, by the routers' counts."""
    return _compared(gate, d, s, a, s.requests)


def accuracy(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Predictions that the truth proved wrong; shown as the share that was right."""
    stable, candidate = s.stable, s.candidate
    interval = Interval(stable.labelled, stable.wrong, candidate.labelled, candidate.wrong)
    judged = _compared(gate, d, s, a, interval)
    if judged.stable is None or judged.candidate is None or judged.candidate.samples == 0:
        text = "no feedback for predictions of both versions yet"
        return judged.model_copy(update={"message": text})
    return judged.model_copy(
        update={"stable": _right(judged.stable), "candidate": _right(judged.candidate)}
    )


def _right(arm: ArmStatus) -> ArmStatus:
    return ArmStatus(value=_rounded(1 - (arm.value or 0.0)), samples=arm.samples)


def _compared(
    gate: RolloutGate, d: Definition, s: Sample, a: Alphas, interval: Interval
) -> RolloutGate:
    state = _state(proportions, gate)
    state = proportions.update(state, interval, margin=d.limit, design_effect=s.design_effect)
    shown = state.difference()
    overlap = state.overlap
    needed = proportions.still_needed(
        state, margin=d.limit, alpha_fail=a.fail, alpha_pass=a.passing, weight=s.weight
    )
    return _judged(
        gate,
        state,
        proportions.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        stable=ArmStatus(value=_rounded(overlap.stable_rate), samples=overlap.stable_n),
        candidate=ArmStatus(value=_rounded(overlap.candidate_rate), samples=overlap.candidate_n),
        interval=(shown.low, shown.high),
        needed=needed,
        message=f"{overlap.candidate_rate:.2%} against {overlap.stable_rate:.2%}, margin "
        f"{d.limit:.2%}",
    )


def slower(quantile: float, counts: str) -> Rule:
    """A quantile of the candidate against `limit` times the stable version's. `counts` names the
    histogram of an `Arm`."""

    def rule(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
        stable: Counts = getattr(s.stable, counts)
        candidate: Counts = getattr(s.candidate, counts)
        state = latency.update(
            _state(latency, gate),
            stable,
            candidate,
            quantile=quantile,
            ratio=d.limit,
            design_effect=s.design_effect,
        )
        overlap = state.overlap
        verdict = latency.judge(state, alpha_fail=a.fail, alpha_pass=a.passing)
        if quantile >= 0.99 and overlap.candidate_n < _FEWEST_P99:
            verdict = "Inconclusive"
        usual = f"{1 - quantile:.0%}"
        return _judged(
            gate,
            state,
            verdict,
            stable=ArmStatus(value=_rounded(state.threshold), samples=overlap.stable_n),
            candidate=ArmStatus(
                value=_quantile(candidate, quantile, gate), samples=overlap.candidate_n
            ),
            needed=latency.still_needed(
                state,
                quantile=quantile,
                alpha_fail=a.fail,
                alpha_pass=a.passing,
                weight=s.weight,
            ),
            message=f"{overlap.candidate_rate:.1%} are above {d.limit:g} x {state.threshold:.3g}; "
            f"{usual} would be the same quantile",
        )

    return rule


def traffic_split(gate: RolloutGate, _: Definition, s: Sample, __: object) -> RolloutGate:
    """Whether the candidate gets its share. It has no part in pass or fail: with a mismatch every
    other comparison is void."""
    state = _state(ratio, gate)
    if s.share is not None and s.requests.n:
        state = ratio.update(
            state,
            s.requests.stable_n,
            s.requests.candidate_n,
            share=s.share,
            design_effect=s.share_design_effect,
        )
    total = state.stable_n + state.candidate_n
    share, expected = (state.candidate_n / total, state.expected / total) if total else (0.0, 0.0)
    bad = state.mismatch()
    return _judged(
        gate,
        state,
        "Error" if bad else "Pass",
        candidate=ArmStatus(value=_rounded(share), samples=state.candidate_n),
        message=f"the candidate got {share:.2%} of the requests instead of {expected:.2%}: "
        "comparisons are void"
        if bad
        else f"{share:.2%}, expected {expected:.2%}",
    )


def prometheus(gate: RolloutGate, d: Definition, s: Sample, _: Alphas) -> RolloutGate:
    """A number within its limits several times in a row passes, outside of them fails. No error
    rate can be stated for it."""
    query = d.query
    value = s.measured.queries.get(query.query) if query is not None else None
    if query is None or value is None:
        return gate.model_copy(update={"message": "Prometheus has no value for the query"})
    low = query.min is None or value >= query.min
    high = query.max is None or value <= query.max
    kind, __, count = gate.evidence.partition(" ")
    word = "in" if low and high else "out"
    row = int(count) + 1 if kind == word and count.isdigit() else 1
    verdict = gate.verdict
    if row >= _IN_A_ROW:
        verdict = "Pass" if word == "in" else "Fail"
    return gate.model_copy(
        update={
            "evidence": f"{word} {row}",
            "verdict": verdict,
            "candidate": ArmStatus(value=_rounded(value), samples=row),
            "message": f"{value:.4g}, {word}side of the limits {row} times in a row "
            "(no stated error rate)",
        }
    )


def over(limit_share: float, part: Part) -> Rule:
    """At most `limit_share` of the pairs exceed the limit: the quantile is below it."""

    def rule(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
        comparison = s.measured.comparison
        n, above = comparison.above(part, d.limit) if comparison is not None else (0, 0)
        return _mean(gate, s, a, (n, above, above), limit_share, f"{d.limit:g} is exceeded by")

    return rule


def calibration_shift(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """The mean difference of scores in [0, 1] lies within ± limit: two tests of a bounded mean."""
    upper_text, _, lower_text = gate.evidence.partition("|")
    upper, lower = (
        _state(mean, gate.model_copy(update={"evidence": text}))
        for text in (upper_text, lower_text)
    )
    comparison = s.measured.comparison
    if comparison is not None and comparison.shift_squares <= comparison.valued:
        n, shift, squares = comparison.valued, comparison.shift, comparison.shift_squares
        sums = n, (shift + n) / 2, (squares + 2 * shift + n) / 4
        upper = mean.update(upper, *sums, limit=(1 + d.limit) / 2)
        lower = mean.update(lower, *sums, limit=(1 - d.limit) / 2)
    above = mean.judge(upper, alpha_fail=a.fail / 2, alpha_pass=a.passing)
    below = mean.judge(lower, alpha_fail=a.passing, alpha_pass=a.fail / 2)
    verdict = "Inconclusive"
    if above == "Fail" or below == "Pass":
        verdict = "Fail"
    elif above == "Pass" and below == "Fail":
        verdict = "Pass"
    value, low, high = (2 * x - 1 for x in upper.estimate())
    return gate.model_copy(
        update={
            "evidence": f"{upper.dump()}|{lower.dump()}",
            "verdict": verdict,
            "candidate": ArmStatus(value=_rounded(value), samples=upper.n),
            "interval": (_rounded(low), _rounded(high)),
            "message": f"scores differ by {value:+.4f} on average, limit ±{d.limit:g}",
        }
    )


def prediction_psi(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Both versions' answers, by bins that are the same for both."""
    state = psi.update(
        _state(psi, gate),
        s.stable.values,
        s.candidate.values,
        maximum=d.limit,
        design_effect=s.design_effect,
    )
    value = state.value()
    return _judged(
        gate,
        state,
        psi.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        stable=ArmStatus(samples=state.stable_n),
        candidate=ArmStatus(value=_rounded(value), samples=state.candidate_n),
        needed=psi.still_needed(
            state, maximum=d.limit, alpha_fail=a.fail, alpha_pass=a.passing, weight=s.weight
        ),
        message=f"index {value:.3f}, limit {d.limit:g}",
    )


def disagreement(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Share of pairs with different labels."""
    comparison = s.measured.comparison
    n, differ = (comparison.labelled, comparison.disagreements) if comparison else (0, 0)
    return _mean(gate, s, a, (n, differ, differ), d.limit, "different labels:")


def _mean(
    gate: RolloutGate,
    s: Sample,
    a: Alphas,
    sums: tuple[int, float, float],
    limit: float,
    words: str,
) -> RolloutGate:
    state = mean.update(_state(mean, gate), *sums, limit=limit)
    shown = state.estimate()
    return _judged(
        gate,
        state,
        mean.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        candidate=ArmStatus(value=_rounded(shown.value), samples=state.n),
        interval=(shown.low, shown.high),
        needed=mean.still_needed(state, limit=limit, alpha_fail=a.fail, alpha_pass=a.passing),
        message=f"{words} {shown.value:.2%} of the pairs, limit {limit:.2%}",
    )


def _state(module: Any, gate: RolloutGate) -> Any:
    """The state of the test; one of an older format, or none, begins anew."""
    try:
        return module.load(gate.evidence) if gate.evidence else module.start()
    except ValueError:
        return module.start()


def _judged(gate: RolloutGate, state: Any, verdict: str, **shown: Any) -> RolloutGate:
    if "interval" in shown:
        shown["interval"] = tuple(_rounded(bound) for bound in shown["interval"])
    return gate.model_copy(update={"evidence": state.dump(), "verdict": verdict, **shown})


def _quantile(counts: Counts, quantile: float, gate: RolloutGate) -> float | None:
    if not counts:
        return gate.candidate.value if gate.candidate else None
    return _rounded(loghist.quantile(counts, quantile))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
