"""Steps, gates and time, put together."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pawl.api.duration import seconds
from pawl.api.rollout import RolloutSpec
from pawl.core.gates.arms import FEWEST_P99
from pawl.core.gates.definition import Definition, definitions
from pawl.core.gates.rule import Alphas, alphas_of
from pawl.core.planning import _warnings
from pawl.core.planning._kinds import KINDS
from pawl.core.planning._records import Forecast, Need, Step, Supposed

#: Pairs per second that servers sample, whatever the traffic.
MOST_PAIRS = 64


def forecast_of(spec: RolloutSpec, supposed: Supposed) -> Forecast:
    """The forecast for a rollout. ValueError without traffic."""
    if not supposed.rps > 0:
        raise ValueError("requests per second must be above 0")
    steps = _steps(spec, supposed.rps)
    defined = [
        definition
        for definition in definitions(spec, supposed.disagreement)
        if definition.statistical
    ]
    alphas = alphas_of(spec, definitions(spec, supposed.disagreement))
    needs = tuple(
        _need(
            definition, [step for step in steps if step.stage == definition.stage], supposed, alphas
        )
        for definition in defined
    )
    total = sum(_length(stage, steps, needs) for stage in ("shadow", "canary"))
    return Forecast(
        steps, needs, total, tuple(_warnings.all_of(spec, supposed, steps, needs, total))
    )


def _need(d: Definition, steps: list[Step], supposed: Supposed, alphas: Alphas) -> Need:
    kind = KINDS[d.metric]
    rates = tuple(kind.rate(step, supposed) for step in steps)
    both = (alphas.fail, alphas.passing)
    good, bad = (
        tuple(kind.needed(d, supposed, both, step.weight, worse) for step in steps)
        for worse in (False, True)
    )
    fewest = FEWEST_P99 if d.metric == "latency_p99_ratio" else 0
    return Need(
        d.stage,
        d.metric,
        d.words,
        d.required,
        kind.supposed(d, supposed),
        tuple(max(count, fewest) for count in good),
        tuple(max(count, fewest) for count in bad),
        rates,
        passes=_when(steps, rates, good, fewest),
        stops=_when(steps, rates, bad, fewest),
    )


def _when(
    steps: list[Step], rates: tuple[float, ...], counts: tuple[float, ...], fewest: int
) -> float:
    """Seconds from the beginning of the stage until the evidence is whole; the last step lasts."""
    time, evidence, seen = 0.0, 0.0, 0.0
    for step, rate, count in zip(steps, rates, counts, strict=True):
        last = step is steps[-1]
        left = max((1 - evidence) * count, fewest - seen) / rate if rate else math.inf
        if last or left <= step.least:
            return time + left
        time += step.least
        evidence += rate * step.least / count
        seen += rate * step.least
    return math.inf


def _length(stage: str, steps: Iterable[Step], needs: Iterable[Need]) -> float:
    """How long a good version stays in a stage."""
    least = sum(step.least for step in steps if step.stage == stage)
    gates = [need.passes for need in needs if need.stage == stage and need.required]
    return max([least, *gates])


def _steps(spec: RolloutSpec, rps: float) -> tuple[Step, ...]:
    samples, found = spec.decision.min_samples, []
    if spec.shadow is not None:
        part = spec.shadow.percent / 100
        pairs = min(rps * part, MOST_PAIRS)
        found.append(
            Step(
                f"shadow {spec.shadow.percent} %",
                "shadow",
                part / (1 + part),
                rps * part,
                pairs,
                seconds(spec.shadow.duration),
                samples / pairs,
            )
        )
    for step in spec.canary.steps if spec.canary is not None else ():
        rate = rps * step.weight / 100
        found.append(
            Step(
                f"canary {step.weight} %",
                "canary",
                step.weight / 100,
                rate,
                0.0,
                seconds(step.duration),
                samples / rate,
            )
        )
    return tuple(found)
