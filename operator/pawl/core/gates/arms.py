"""Gates that compare what the two versions did in the same interval
(`pawl.stats.sequential` holds the statistics)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from pawl.api.rollout_status import ArmStatus, RolloutGate
from pawl.core.gates.definition import Definition
from pawl.core.gates.rule import NO_FEEDBACK, Alphas, Rule, judged_by, load, rounded
from pawl.core.gates.sample import Sample
from pawl.core.measurement import Counts
from pawl.stats import loghist, valuehist
from pawl.stats.sequential import latency, proportions, psi, ratio
from pawl.stats.sequential.proportions import Interval

#: A p99 of fewer requests is noise.
FEWEST_P99 = 10_000


def error_rate(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Requests that failed, by the routers' counts."""
    return compared(gate, d, s, a, [s.requests])


def compared(
    gate: RolloutGate, d: Definition, s: Sample, a: Alphas, strata: Iterable[Interval]
) -> RolloutGate:
    """Two shares of bad events, stratum by stratum of the interval."""
    state = load(proportions, gate)
    effect = s.design_effect or state.design_effect
    for interval in strata:
        state = proportions.update(state, interval, margin=d.limit, design_effect=effect)
    shown = state.difference()
    overlap = state.overlap
    needed = proportions.still_needed(
        state, margin=d.limit, alpha_fail=a.fail, alpha_pass=a.passing, weight=s.weight
    )
    return judged_by(
        gate,
        state,
        proportions.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        stable=ArmStatus(value=rounded(overlap.stable_rate), samples=overlap.stable_n),
        candidate=ArmStatus(value=rounded(overlap.candidate_rate), samples=overlap.candidate_n),
        interval=(shown.low, shown.high),
        needed=needed,
        message=f"{overlap.candidate_rate:.2%} against {overlap.stable_rate:.2%}, margin "
        f"{d.limit:.2%}"
        if overlap.weight
        else "",
    )


def slower(quantile: float) -> Rule:
    """A quantile of the candidate's latency against `limit` times the stable version's."""

    def rule(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
        stable, candidate = s.stable.latency, s.candidate.latency
        judged, state = _quantiles(gate, (stable, candidate), (quantile, d.limit), s, a)
        return _shown(judged, state, d.limit, quantile, loghist.upper, candidate)

    return rule


def larger_errors(quantile: float) -> Rule:
    """The same for absolute errors. Their bins (`valuehist.LOG`) are more, and grow by 7 %: as many
    of them as a latency has, around what the stable version had first, are taken as one's."""

    def rule(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
        text, _, evidence = gate.evidence.partition("|")
        known = int(text) if text.isdecimal() else None
        offset = _offset(s.stable.absolute_error, quantile) if known is None else known
        if offset is None:
            nothing = {"verdict": "Inconclusive", "evidence": "", "message": NO_FEEDBACK}
            return gate.model_copy(update=nothing)
        before = gate.model_copy(update={"evidence": evidence})
        stable, candidate = (_moved(arm.absolute_error, offset) for arm in (s.stable, s.candidate))
        # A ratio of as many bins.
        ratio = loghist.GROWTH ** (
            math.log(d.limit) / math.log(valuehist.LOG[-1] / valuehist.LOG[-2])
        )
        judged, state = _quantiles(before, (stable, candidate), (quantile, ratio), s, a)

        def upper(bucket: int) -> float:
            return valuehist.LOG[min(bucket + offset, len(valuehist.LOG) - 1)]

        shown = _shown(judged, state, d.limit, quantile, upper, candidate)
        return shown.model_copy(
            update={
                "evidence": f"{offset}|{judged.evidence}",
                "message": shown.message or NO_FEEDBACK,
            }
        )

    return rule


def _quantiles(
    gate: RolloutGate,
    counts: tuple[Counts, Counts],
    wanted: tuple[float, float],
    s: Sample,
    a: Alphas,
) -> tuple[RolloutGate, latency.Latency]:
    """One more interval of two histograms: is the candidate's quantile above ratio x stable's?"""
    quantile, ratio = wanted
    state = load(latency, gate)
    state = latency.update(
        state,
        *counts,
        quantile=quantile,
        ratio=ratio,
        design_effect=s.design_effect or state.design_effect,
    )
    verdict = latency.judge(state, alpha_fail=a.fail, alpha_pass=a.passing)
    needed = latency.still_needed(
        state, quantile=quantile, alpha_fail=a.fail, alpha_pass=a.passing, weight=s.weight
    )
    short = (FEWEST_P99 if quantile >= 0.99 else 0) - state.overlap.candidate_n
    if short > 0:
        verdict = "Inconclusive"
        needed = max(needed, short) if needed is not None else None
    return judged_by(gate, state, verdict, needed=needed), state


def _shown(
    gate: RolloutGate,
    state: latency.Latency,
    ratio: float,
    quantile: float,
    upper: Callable[[int], float],
    latest: Counts,
) -> RolloutGate:
    """With what is shown of it; `upper` is the upper edge of a bucket."""
    overlap, usual = state.overlap, upper(state.bucket) if state.seen else None
    if loghist.total(latest):
        now: float | None = rounded(upper(loghist.index(loghist.quantile(latest, quantile))))
    else:
        now = gate.candidate.value if gate.candidate else None
    return gate.model_copy(
        update={
            "stable": ArmStatus(
                value=rounded(usual) if usual is not None else None, samples=overlap.stable_n
            ),
            "candidate": ArmStatus(value=now, samples=overlap.candidate_n),
            "message": f"{overlap.candidate_rate:.1%} are above {ratio:g} x {usual:.3g}; "
            f"{1 - quantile:.0%} would be the same quantile"
            if overlap.weight
            else "",
        }
    )


def _offset(counts: Counts, quantile: float) -> int | None:
    """The first bin that is looked at; None before there is an error."""
    wanted, seen = quantile * sum(counts.values()), 0
    for bin_ in sorted(counts):
        seen += counts[bin_]
        if seen >= wanted > 0:
            return max(0, bin_ - loghist.SIZE // 2)
    return None


def _moved(counts: Counts, offset: int) -> Counts:
    last = loghist.SIZE - 1
    return loghist.merge([{min(max(bin_ - offset, 0), last): n} for bin_, n in counts.items()])


def prediction_psi(gate: RolloutGate, d: Definition, s: Sample, a: Alphas) -> RolloutGate:
    """Both versions' answers, by bins that are the same for both."""
    state = load(psi, gate)
    state = psi.update(
        state,
        s.stable.values,
        s.candidate.values,
        maximum=d.limit,
        design_effect=s.design_effect or state.design_effect,
    )
    value = state.value()
    learning = "the bins are learnt from the first answers" if any(state.groups.counts) else ""
    return judged_by(
        gate,
        state,
        psi.judge(state, alpha_fail=a.fail, alpha_pass=a.passing),
        stable=ArmStatus(samples=state.stable_n),
        candidate=ArmStatus(value=rounded(value), samples=state.candidate_n),
        needed=psi.still_needed(
            state, maximum=d.limit, alpha_fail=a.fail, alpha_pass=a.passing, weight=s.weight
        ),
        message=f"index {value:.3f}, limit {d.limit:g}" if state.weight else learning,
    )


def traffic_split(gate: RolloutGate, _: Definition, s: Sample, __: object) -> RolloutGate:
    """Whether the candidate gets its share. It has no part in pass or fail: with a mismatch every
    other comparison is void."""
    state = load(ratio, gate)
    if s.share is not None and s.requests.n:
        state = ratio.update(
            state,
            s.requests.stable_n,
            s.requests.candidate_n,
            share=s.share,
            design_effect=s.share_design_effect or state.design_effect,
        )
    total = state.stable_n + state.candidate_n
    share, expected = (state.candidate_n / total, state.expected / total) if total else (0.0, 0.0)
    bad = state.mismatch()
    text = f"{share:.2%}, expected {expected:.2%}" if total else "no traffic yet"
    if bad:
        text = f"the candidate got {share:.2%} of the requests instead of {expected:.2%}: "
        text += "comparisons are void"
    return judged_by(
        gate,
        state,
        "Error" if bad else "Pass",
        candidate=ArmStatus(value=rounded(share), samples=state.candidate_n),
        message=text,
    )
