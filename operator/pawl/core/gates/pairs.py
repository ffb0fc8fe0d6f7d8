"""Gates on pairs of answers to the same request: only a shadow has them."""

from __future__ import annotations

from pawl.api.rollout_status import ArmStatus, RolloutGate
from pawl.core.gates.definition import Definition
from pawl.core.gates.rule import Alphas, Rule, judged_by, load, rounded
from pawl.core.gates.sample import Sample
from pawl.stats.sequential import mean, shift
from pawl.stats.shadow import Part

_NO_PAIRS = "no pair of comparable answers yet"


def disagreement(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Share of pairs with different labels."""
    comparison = s.measured.comparison
    n, differ = (comparison.labelled, comparison.disagreements) if comparison else (0, 0)
    return _mean(gate, s, a, (n, differ, differ), d.limit, "different labels:")


def over(limit_share: float, part: Part) -> Rule:
    """At most `limit_share` of the pairs exceed the limit: the quantile is below it."""

    def rule(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
        comparison = s.measured.comparison
        n, above = comparison.above(part, d.limit) if comparison is not None else (0, 0)
        return _mean(gate, s, a, (n, above, above), limit_share, f"{d.limit:g} is exceeded by")

    return rule


def calibration_shift(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """The mean difference of scores in [0, 1] lies within ± limit."""
    state, comparison = load(shift, gate), s.measured.comparison
    if comparison is not None and comparison.shift_squares > comparison.valued:
        text = "predictions are no scores between 0 and 1: their shift cannot be judged"
        return gate.model_copy(update={"verdict": "Error", "message": text})
    if comparison is not None:
        sums = comparison.valued, comparison.shift, comparison.shift_squares
        state = shift.update(state, *sums, limit=d.limit)
    shown = state.estimate()
    return judged_by(
        gate,
        state,
        shift.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        candidate=ArmStatus(value=rounded(shown.value), samples=state.n),
        interval=(shown.low, shown.high),
        needed=shift.still_needed(state, limit=d.limit, alpha_fail=a.fail, alpha_pass=a.passing),
        message=f"scores differ by {shown.value:+.4f} on average, limit ±{d.limit:g}"
        if state.n
        else _NO_PAIRS,
    )


def _mean(
    gate: RolloutGate,
    s: Sample,
    a: Alphas,
    sums: tuple[int, float, float],
    limit: float,
    words: str,
) -> RolloutGate:
    state = mean.update(load(mean, gate), *sums, limit=limit)
    shown = state.estimate()
    return judged_by(
        gate,
        state,
        mean.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        candidate=ArmStatus(value=rounded(shown.value), samples=state.n),
        interval=(shown.low, shown.high),
        needed=mean.still_needed(state, limit=limit, alpha_fail=a.fail, alpha_pass=a.passing),
        message=f"{words} {shown.value:.2%} of the pairs, limit {limit:.2%}"
        if state.n
        else _NO_PAIRS,
    )
