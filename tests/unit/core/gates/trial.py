"""A rollout that is measured: the counters of one router, and two versions that behave as told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutGate, RolloutPhase, RolloutStatus
from pawl.core.gates import fold
from pawl.core.measurement import Arm, Measurement
from pawl.core.routing.state import RouterState, Totals
from pawl.stats import loghist, shadow, valuehist
from pawl.stats.shadow import Comparison, Pair

START = 1_790_000_000
NOON = "2026-09-21T14:13:20Z"
STABLE, CANDIDATE = 7, 8

Rng = np.random.Generator
#: What both versions did in one interval: arguments of `Trial.go`.
Behaviour = Callable[[Rng], dict[str, Any]]

STEPS = [{"weight": 50, "duration": "10m"}]
CONFIDENCE = 0.99


def spec_of(stage: str, *gates: Mapping[str, Any], **more: Any) -> RolloutSpec:
    part = {"gates": list(gates)} | ({"steps": STEPS} if stage == "canary" else {}) | more
    return RolloutSpec.model_validate({stage: part})


def state_of(phase: RolloutPhase, **more: Any) -> RolloutStatus:
    values: dict[str, Any] = {
        "phase": phase,
        "candidate": f"churn-v{CANDIDATE}",
        "digest": "sha256:" + "8" * 64,
        "reference": STABLE,
        "weight": 0 if phase == "Shadow" else 50,
        "started_at": NOON,
        "step_started_at": NOON,
    }
    return RolloutStatus.model_validate(values | more)


@dataclass
class Trial:
    """`go` is one interval of two seconds; what the routers counted comes from `errors`."""

    spec: RolloutSpec
    state: RolloutStatus
    now: int = START
    counted: dict[str, Totals] = field(default_factory=dict)
    answers: bool = True

    def go(
        self,
        stable: Arm | None = None,
        candidate: Arm | None = None,
        errors: tuple[int, int, int, int] = (0, 0, 0, 0),
        comparison: Comparison | None = None,
        queries: Mapping[str, float | None] | None = None,
    ) -> RolloutStatus:
        if not self.counted:  # the first reading of a router is only a beginning
            self.counted = {"stable": Totals(10, 1), "candidate": Totals(5)}
            self.state = fold(self.state, self.spec, self._measured(), (self.router(),))
        self.counted["stable"] += Totals(*errors[:2])
        self.counted["candidate"] += Totals(*errors[2:])
        measured = self._measured(stable, candidate, comparison, queries)
        self.state = fold(self.state, self.spec, measured, (self.router(),))
        return self.state

    def _measured(self, *parts: Any) -> Measurement:
        stable, candidate, comparison, queries = (*parts, None, None, None, None)[:4]
        begin, self.now = self.now, self.now + 2
        both = stable or Arm(), candidate or Arm()
        return Measurement(begin, self.now, *both, comparison, queries or {})

    def router(self) -> RouterState:
        totals = {STABLE: self.counted["stable"]}
        mirrored = {}
        (mirrored if self.state.phase == "Shadow" else totals)[CANDIDATE] = self.counted[
            "candidate"
        ]
        return RouterState(
            "c1",
            "r1" if self.answers else None,
            pod="router-a",
            totals=totals,
            mirrored=mirrored,
            started="u/0",
            uptime=self.now - START,
        )

    def gate(self, metric: str) -> RolloutGate:
        return next(gate for gate in self.state.gates if gate.metric == metric)

    def until_decided(self, metric: str, behaviour: Behaviour, *, most: int, seed: int = 1) -> str:
        """The verdict, after at most so many intervals."""
        rng = np.random.default_rng(seed)
        for _ in range(most):
            self.go(**behaviour(rng))
            if self.gate(metric).verdict != "Inconclusive":
                break
        return self.gate(metric).verdict


def start(stage: Literal["shadow", "canary"], *gates: Mapping[str, Any], **more: Any) -> Trial:
    return Trial(
        spec_of(stage, *gates), state_of("Shadow" if stage == "shadow" else "Canary", **more)
    )


def errors(stable: float, candidate: float, n: int = 1000) -> Behaviour:
    def behaviour(rng: Rng) -> dict[str, Any]:
        bad = rng.binomial(n, [stable, candidate]).tolist()
        return {"errors": (n, bad[0], n, bad[1])}

    return behaviour


def latencies(factor: float, n: int = 1000) -> Behaviour:
    """Log-normal around 5 ms."""

    def behaviour(rng: Rng) -> dict[str, Any]:
        seconds = np.exp(rng.normal(np.log(0.005), 0.4, (2, n)))
        seconds[1] *= factor
        return dict(
            zip(("stable", "candidate"), [Arm(latency=_counts(x)) for x in seconds], strict=True)
        )

    return behaviour


def labels(stable: float, candidate: float, n: int = 200) -> Behaviour:
    def behaviour(rng: Rng) -> dict[str, Any]:
        wrong = rng.binomial(n, [stable, candidate]).tolist()
        arms = [Arm(labelled=n, wrong=k) for k in wrong]
        return {"stable": arms[0], "candidate": arms[1]}

    return behaviour


def misses(factor: float, n: int = 500, typical: float = 20_000.0) -> Behaviour:
    """Absolute errors, as of prices."""

    def behaviour(rng: Rng) -> dict[str, Any]:
        off = np.abs(rng.normal(0, typical, (2, n)))
        off[1] *= factor
        arms = [
            Arm(absolute_error=Counter(valuehist.index(float(x), valuehist.LOG) for x in row))
            for row in off
        ]
        return {"stable": arms[0], "candidate": arms[1]}

    return behaviour


def scores(shift: float, n: int = 500) -> Behaviour:
    """Probabilities, the candidate's log-odds shifted."""

    def behaviour(rng: Rng) -> dict[str, Any]:
        odds = rng.normal(-1, 1.5, (2, n))
        odds[1] += shift
        arms = [
            Arm(values=Counter(str(valuehist.index(float(p), valuehist.LOGIT)) for p in row))
            for row in 1 / (1 + np.exp(-odds))
        ]
        return {"stable": arms[0], "candidate": arms[1]}

    return behaviour


def pairs(
    *, differ: float = 0.0, shift: float = 0.0, noise: float = 0.01, n: int = 100
) -> Behaviour:
    """Answers to the same requests: a share of other labels, scores moved by shift and noise."""

    def behaviour(rng: Rng) -> dict[str, Any]:
        score = rng.uniform(0.3, 0.7, n)
        moved = score + shift + rng.uniform(-noise, noise, n)
        other = rng.random(n) < differ
        ids = rng.integers(0, 2**62, n).tolist()
        stable = [Pair(i, 5, 1, s, 0.01, 200) for i, s in zip(ids, score.tolist(), strict=True)]
        candidate = [
            Pair(i, 5, 0 if o else 1, s, 0.01, 200)
            for i, o, s in zip(ids, other.tolist(), moved.tolist(), strict=True)
        ]
        return {"comparison": shadow.compare(shadow.join(stable, candidate))}

    return behaviour


def _counts(seconds: Any) -> Mapping[int, int]:
    return Counter(loghist.index(float(x)) for x in seconds)
