"""What somebody who configures a rollout should be told before waiting for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pawl.api.duration import seconds, words
from pawl.api.rollout import RolloutSpec
from pawl.core.gates.arms import FEWEST_P99
from pawl.core.gates.truth import COVERAGE
from pawl.core.planning._records import Need, Step, Supposed


def all_of(
    spec: RolloutSpec,
    supposed: Supposed,
    steps: Sequence[Step],
    needs: Sequence[Need],
    total: float,
) -> Iterable[str]:
    """Sentences, the most general last."""
    for step in steps:
        if step.samples > step.duration:
            yield (
                f"{step.name}: minSamples {spec.decision.min_samples} takes {words(step.samples)}, "
                f"longer than the duration of {words(step.duration)}"
            )
    for stage in ("shadow", "canary"):
        of_stage = [need for need in needs if need.stage == stage]
        yield from _about_time([step for step in steps if step.stage == stage], of_stage)
    for need in needs:
        yield from _about_gate(need, supposed)
    if spec.canary is not None and any(gate.prometheus for gate in spec.canary.gates):
        yield "gates on Prometheus decide by three values in a row, without a stated error rate"
    if spec.canary is not None and spec.canary.sticky is not None:
        yield (
            "sticky: requests of the same user say less than as many of different ones; how much "
            "less, only real traffic shows, and everything takes as many times longer"
        )
    if not any(need.required for need in needs):
        yield (
            "no required gate has a stated error rate: durations and minSamples (and queries, if "
            "any) promote whatever is no worse to them"
        )
    if seconds(spec.decision.deadline) < total < math.inf:
        yield (
            f"all of it takes about {words(total)}, longer than the deadline of "
            f"{spec.decision.deadline}"
        )


def _about_time(steps: Sequence[Step], needs: Sequence[Need]) -> Iterable[str]:
    """Steps by whose end nothing can be known, and how long the last one will wait."""
    time, first = 0.0, min(needs, key=_decides, default=None)
    for position, step in enumerate(steps[:-1]):
        time += step.least
        if first is not None and time < _decides(first) < math.inf:
            needed = min(first.bad[position], first.good[position])
            yield (
                f"{step.name}: about {step.requests * step.least:,.0f} requests of the candidate "
                f"in {words(step.least)} cannot prove anything: {first.metric}, the fastest gate, "
                f"needs {needed:,.0f} at this weight, which is {words(needed / step.requests)}"
            )
    time += steps[-1].least if steps else 0.0
    required = [need for need in needs if need.required]
    slowest = max(required, key=lambda need: need.passes, default=None)
    if slowest is not None and time < slowest.passes < math.inf:
        yield (
            f"{steps[-1].name}: even a good version stays {words(slowest.passes - time)} longer "
            f"than configured, until {slowest.metric} passes"
        )


def _decides(need: Need) -> float:
    return min(need.stops, need.passes)


def _about_gate(need: Need, supposed: Supposed) -> Iterable[str]:
    if need.metric == "latency_p99_ratio":
        at_last = words(FEWEST_P99 / need.rates[-1])
        yield (
            f"{need.metric}: judged with {FEWEST_P99:,} requests of the candidate at least; the "
            f"last step alone has them after {at_last}"
        )
    if need.metric == "accuracy" and supposed.feedback < COVERAGE:
        yield (
            f"accuracy: Inconclusive while truth comes for less than {COVERAGE:.0%} of the "
            f"predictions; {supposed.feedback:.0%} are supposed"
        )
    if need.required and math.isinf(need.passes):
        yield f"{need.metric} {need.words}: no version can be expected to pass it"
