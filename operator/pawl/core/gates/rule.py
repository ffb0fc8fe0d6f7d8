"""What all kinds of gates share.

A rule is `(gate, definition, sample, alphas) -> gate`: pure, and the evidence travels in the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutGate
from pawl.core.gates.definition import Definition
from pawl.core.gates.sample import Sample


@dataclass(frozen=True)
class Alphas:
    """How often a gate may fail a version that is as good, or pass one that is worse."""

    fail: float
    passing: float


NO_FEEDBACK = "no feedback for predictions of both versions yet"


def alphas_of(spec: RolloutSpec, gates: Iterable[Definition]) -> Alphas:
    """The confidence holds for the rollout: all gates together fail a version that is as good with
    at most 1 - confidence; one that is worse in some respect must pass that gate."""
    alpha = 1 - spec.decision.confidence
    count = sum(definition.statistical for definition in gates)
    return Alphas(alpha / max(1, count), alpha)


Rule = Callable[[RolloutGate, Definition, Sample, Alphas], RolloutGate]


def load(module: Any, gate: RolloutGate) -> Any:
    """The state of the test; one of an older format, or none, begins anew."""
    try:
        return module.load(gate.evidence) if gate.evidence else module.start()
    except (ValueError, IndexError):
        return module.start()


def judged_by(gate: RolloutGate, state: Any, verdict: str, **shown: Any) -> RolloutGate:
    """The gate with a new state of its test, a verdict, and what is shown."""
    if "interval" in shown:
        shown["interval"] = tuple(rounded(bound) for bound in shown["interval"])
    return gate.model_copy(update={"evidence": state.dump(), "verdict": verdict, **shown})


def rounded(value: float) -> float:
    """Four digits: status is for reading."""
    return float(f"{value:.4g}")
