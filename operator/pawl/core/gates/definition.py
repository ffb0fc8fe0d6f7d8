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
    flaw: str = ""  # why it cannot be judged

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


def definitions(spec: RolloutSpec, offline: float | None = None) -> tuple[Definition, ...]:
    """All gates of a spec. `offline` is the share of past rows on which the two versions disagreed,
    None when nobody has compared them."""
    found: list[Definition] = []
    if spec.shadow is not None:
        found += [
            _above_offline(gate, gate.above_offline, offline)
            if gate.above_offline is not None
            else _of("shadow", gate)
            for gate in spec.shadow.gates
        ]
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


def _above_offline(gate: ShadowGate, margin: float, offline: float | None) -> Definition:
    """The limit is what is to be expected, and a margin."""
    words = f"aboveOffline {margin:.12g}"
    if offline is None:
        text = "it is not recorded how often the two versions disagree offline; use max"
        return Definition("shadow", str(gate.metric), 0.0, words, gate.required, flaw=text)
    limit = min(offline + margin, 0.999)
    words = f"{words} (offline {offline:.4g})"
    return Definition("shadow", str(gate.metric), limit, words, gate.required)


def _short(words: str) -> str:
    """What fits into status, and stays different from other words."""
    if len(words) <= _LONGEST:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"{words[: _LONGEST - 10]}… {digest}"
