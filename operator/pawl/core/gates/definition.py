"""The gates of a rollout's spec, in the order in which status shows them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pawl.api.rollout import CanaryGate, PrometheusQuery, RolloutSpec, ShadowGate
from pawl.api.rollout_status import RolloutGate, Stage

#: Whether the router shares the traffic out as it was told: without it nothing can be compared.
TRAFFIC_SPLIT = "traffic_split"
PROMETHEUS = "prometheus"
_LONGEST = 64


@dataclass(frozen=True)
class Definition:
    """One gate. `words` names its limit; with another limit it is another gate, with no evidence
    yet."""

    stage: Stage
    metric: str
    limit: float
    words: str
    required: bool = True
    query: PrometheusQuery | None = None

    def among(self, gates: tuple[RolloutGate, ...]) -> RolloutGate:
        """What is known of it so far."""
        for gate in gates:
            if (gate.stage, gate.metric, gate.limit) == (self.stage, self.metric, self.words):
                return gate.model_copy(update={"required": self.required})
        return RolloutGate(
            stage=self.stage, metric=self.metric, limit=self.words, required=self.required
        )

    @property
    def statistical(self) -> bool:
        """It has a stated error rate, and takes its part of what the rollout may be wrong."""
        return self.metric not in (TRAFFIC_SPLIT, PROMETHEUS)


def definitions(spec: RolloutSpec) -> tuple[Definition, ...]:
    """All gates of a spec."""
    found: list[Definition] = []
    if spec.shadow is not None:
        found += [_of("shadow", gate) for gate in spec.shadow.gates]
    if spec.canary is not None:
        found += [_of("canary", gate) for gate in spec.canary.gates]
        found.append(Definition("canary", TRAFFIC_SPLIT, 0.0, "as configured"))
    return tuple(found)


def _of(stage: Stage, gate: ShadowGate | CanaryGate) -> Definition:
    if isinstance(gate, CanaryGate) and gate.prometheus is not None:
        query = gate.prometheus
        bounds = [f"min {query.min:.12g}"] if query.min is not None else []
        bounds += [f"max {query.max:.12g}"] if query.max is not None else []
        words = _short(f"{' '.join(bounds)}: {query.query}")
        return Definition(stage, PROMETHEUS, 0.0, words, gate.required, query)
    if gate.not_worse_by is not None:
        limit, words = gate.not_worse_by, f"notWorseBy {gate.not_worse_by:.12g}"
    else:
        limit = gate.max or 0.0
        words = f"max {limit:.12g}"
    return Definition(stage, str(gate.metric), limit, words, gate.required)


def _short(words: str) -> str:
    """What fits into status, and stays different from other words."""
    if len(words) <= _LONGEST:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"{words[: _LONGEST - 10]}… {digest}"
