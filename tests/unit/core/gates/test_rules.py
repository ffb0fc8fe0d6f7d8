"""What holds of every kind of gate: it fails the bad, passes the good, waits without traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from trial import Behaviour, Trial, errors, labels, latencies, misses, pairs, scores, start

from pawl.api.rollout_status import RolloutStatus


@dataclass(frozen=True)
class Kind:
    """One gate, with a version that it must pass and one that it must fail, soon enough."""

    stage: Literal["shadow", "canary"]
    gate: Mapping[str, Any]
    good: Behaviour
    bad: Behaviour
    most: int = 60

    @property
    def metric(self) -> str:
        return str(self.gate["metric"])

    def trial(self) -> Trial:
        return start(self.stage, self.gate)


ERRORS = {"metric": "error_rate", "notWorseBy": 0.01}
KINDS = [
    Kind("canary", ERRORS, errors(0.01, 0.01), errors(0.01, 0.03)),
    Kind("shadow", ERRORS, errors(0.01, 0.01), errors(0.01, 0.03)),
    Kind("canary", {"metric": "latency_p50_ratio", "max": 1.2}, latencies(1), latencies(1.5)),
    Kind("canary", {"metric": "latency_p95_ratio", "max": 1.5}, latencies(1), latencies(2.5)),
    Kind("shadow", {"metric": "latency_p95_ratio", "max": 1.5}, latencies(1), latencies(2.5)),
    Kind("canary", {"metric": "latency_p99_ratio", "max": 1.5}, latencies(1), latencies(2.5)),
    Kind("canary", {"metric": "accuracy", "notWorseBy": 0.03}, labels(0.1, 0.1), labels(0.1, 0.2)),
    Kind("canary", {"metric": "absolute_error_p90_ratio", "max": 1.3}, misses(1), misses(1.8)),
    Kind("canary", {"metric": "prediction_psi", "max": 0.2}, scores(0), scores(1.5)),
    Kind("shadow", {"metric": "prediction_psi", "max": 0.2}, scores(0), scores(1.5)),
    Kind("shadow", {"metric": "disagreement", "max": 0.05}, pairs(differ=0.01), pairs(differ=0.15)),
    Kind("shadow", {"metric": "score_difference_p95", "max": 0.1}, pairs(), pairs(noise=0.2)),
    Kind("shadow", {"metric": "relative_difference_p95", "max": 0.2}, pairs(), pairs(noise=0.25)),
    Kind("shadow", {"metric": "calibration_shift", "max": 0.05}, pairs(), pairs(shift=0.15)),
    Kind("shadow", {"metric": "calibration_shift", "max": 0.05}, pairs(), pairs(shift=-0.15)),
]
each = pytest.mark.parametrize(
    "kind", [pytest.param(k, id=f"{k.stage} {k.metric} {i}") for i, k in enumerate(KINDS)]
)


@each
def test_fails_a_version_that_is_clearly_worse(kind: Kind):
    trial = kind.trial()
    assert trial.until_decided(kind.metric, kind.bad, most=kind.most) == "Fail"
    gate = trial.gate(kind.metric)
    assert gate.needed == 0
    assert gate.candidate is not None
    assert gate.candidate.samples > 0
    assert gate.message


@each
def test_passes_a_version_that_is_as_good(kind: Kind):
    assert kind.trial().until_decided(kind.metric, kind.good, most=kind.most) == "Pass"


@each
def test_a_fail_stands_after_a_pass(kind: Kind):
    trial = kind.trial()
    trial.until_decided(kind.metric, kind.good, most=kind.most)
    rng = np.random.default_rng(2)
    for _ in range(8 * kind.most):
        trial.go(**kind.bad(rng))
        if trial.gate(kind.metric).verdict == "Fail":
            return
    pytest.fail(f"still {trial.gate(kind.metric)}")


@each
def test_is_inconclusive_without_traffic_and_says_so(kind: Kind):
    trial = kind.trial()
    for _ in range(50):
        trial.go()
    gate = trial.gate(kind.metric)
    assert gate.verdict == "Inconclusive"
    assert gate.message.split()[0] == "no"
    assert gate.message.endswith("yet")


@each
def test_evidence_survives_the_status_of_the_object(kind: Kind):
    rng = [np.random.default_rng(3) for _ in range(2)]
    one, other = kind.trial(), kind.trial()
    for _ in range(6):
        one.go(**kind.bad(rng[0]))
        other.go(**kind.bad(rng[1]))
        dumped = other.state.model_dump(by_alias=True, exclude_none=True, mode="json")
        other.state = RolloutStatus.model_validate(dumped)
    assert one.gate(kind.metric).evidence == other.gate(kind.metric).evidence
    assert one.state == other.state


@each
def test_evidence_that_cannot_be_read_begins_anew(kind: Kind):
    trial = kind.trial()
    trial.until_decided(kind.metric, kind.bad, most=kind.most)
    for evidence in ("psi1", "tp1 nan", "x" * 4096, "0|lat1", "mean1 1 2 | "):
        gates = [gate.model_copy(update={"evidence": evidence}) for gate in trial.state.gates]
        trial.state = trial.state.model_copy(update={"gates": tuple(gates)})
        trial.go()
        assert trial.gate(kind.metric).verdict == "Inconclusive"


@each
def test_the_same_measurement_into_the_same_state_gives_the_same(kind: Kind):
    rng = np.random.default_rng(4)
    trial = kind.trial()
    for _ in range(4):
        behaviour = kind.bad(rng)
        again = Trial(trial.spec, trial.state, trial.now, dict(trial.counted))
        assert trial.go(**behaviour) == again.go(**behaviour)


@each
def test_another_limit_is_another_gate(kind: Kind):
    trial = kind.trial()
    trial.until_decided(kind.metric, kind.bad, most=kind.most)
    name = "notWorseBy" if "notWorseBy" in kind.gate else "max"
    trial.spec = start(kind.stage, {**kind.gate, name: 0.0123456789}).spec
    trial.go()
    gate = trial.gate(kind.metric)
    assert (gate.verdict, gate.limit) == ("Inconclusive", f"{name} 0.0123456789")
    trial.spec = kind.trial().spec
    trial.go()
    assert trial.gate(kind.metric).verdict == "Inconclusive"


@each
def test_only_its_own_stage_is_judged(kind: Kind):
    trial = kind.trial()
    phase = "Canary" if kind.stage == "shadow" else "Shadow"
    trial.state = trial.state.model_copy(update={"phase": phase})
    rng = np.random.default_rng(5)
    for _ in range(5):
        trial.go(**kind.bad(rng))
    assert trial.gate(kind.metric).evidence == ""
