"""The fold of a measurement into the state: error rates shared out, samples, guards, size."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial import CANDIDATE, STABLE, START, Trial, errors, latencies, pairs, scores, start, state_of

from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutStatus, RouterTotals
from pawl.core.gates import broken, fold, of_version
from pawl.core.gates.definition import definitions
from pawl.core.gates.fold import HOPELESS
from pawl.core.gates.rule import alphas_of
from pawl.core.measurement import Arm, Measurement

ERRORS = {"metric": "error_rate", "notWorseBy": 0.01}


def test_without_a_measurement_the_gates_of_the_spec_are_there():
    trial = start("canary", ERRORS)
    state = fold(trial.state, trial.spec, None, ())
    assert [(g.metric, g.verdict) for g in state.gates] == [
        ("error_rate", "Inconclusive"),
        ("traffic_split", "Inconclusive"),
    ]
    assert state.model_copy(update={"gates": ()}) == trial.state


@pytest.mark.parametrize("count", [1, 3, 8])
def test_what_the_rollout_may_fail_wrongly_is_shared_by_its_statistical_gates(count: int):
    gates = [{**ERRORS, "notWorseBy": 0.01 * (i + 1)} for i in range(count)]
    values = {
        "shadow": {"gates": gates},
        "canary": {
            "steps": [{"weight": 5}],
            "gates": [*gates[1:], {"prometheus": {"query": "up", "min": 1}}],
        },
        "decision": {"confidence": 0.95},
    }
    spec = RolloutSpec.model_validate(values)
    alphas = alphas_of(spec, definitions(spec))
    assert alphas.fail == pytest.approx(0.05 / (2 * count - 1))
    assert alphas.passing == pytest.approx(0.05)


def test_a_gate_decides_by_its_part_of_the_error_rate():
    alone = start("canary", ERRORS)
    others = [{"metric": "latency_p95_ratio", "max": 1.5 + i} for i in range(7)]
    among = start("canary", ERRORS, *others)
    rng = np.random.default_rng(7)
    fails = {"alone": 0, "among": 0}
    for at in range(1, 80):
        behaviour = errors(0.01, 0.02, 300)(rng)
        for name, trial in (("alone", alone), ("among", among)):
            trial.go(**behaviour)
            if trial.gate("error_rate").verdict == "Fail":
                fails[name] = fails[name] or at
    assert 0 < fails["alone"] < fails["among"]


def test_evidence_goes_on_from_step_to_step():
    trial = start("canary", ERRORS)
    rng = np.random.default_rng(8)
    for weight in (5, 25, 50):
        trial.state = trial.state.model_copy(update={"weight": weight})
        for _ in range(5):
            trial.go(**errors(0.01, 0.01, 200)(rng))
    gate = trial.gate("error_rate")
    assert gate.candidate is not None
    assert gate.candidate.samples == 15 * 200


def test_a_gate_that_cannot_be_judged_is_an_error_and_stops_no_other():
    trial = start("canary", ERRORS, {"metric": "accuracy", "notWorseBy": 0.03})
    rng = np.random.default_rng(9)
    impossible = {"stable": Arm(labelled=5, wrong=6), "candidate": Arm(labelled=5)}
    for _ in range(60):
        trial.go(**errors(0.01, 0.05)(rng), **impossible)
    assert trial.gate("accuracy").verdict == "Error"
    assert "6 bad of 5" in trial.gate("accuracy").message
    assert trial.gate("error_rate").verdict == "Fail"


def test_scores_that_are_none_have_no_calibration():
    trial = start("shadow", {"metric": "calibration_shift", "max": 0.05})
    trial.go(**pairs(shift=300.0)(np.random.default_rng(1)))
    assert trial.gate("calibration_shift").verdict == "Error"
    assert "no scores" in trial.gate("calibration_shift").message


def test_a_p99_of_few_requests_is_not_judged():
    trial = start("canary", {"metric": "latency_p99_ratio", "max": 1.5})
    rng, found = np.random.default_rng(10), []
    for _ in range(20):
        trial.go(**latencies(4)(rng))
        gate = trial.gate("latency_p99_ratio")
        assert gate.candidate is not None
        found.append((gate.candidate.samples >= 10_000, gate.verdict == "Fail"))
        if gate.verdict == "Inconclusive" and gate.candidate.samples:
            assert gate.needed is None or gate.needed >= 10_000 - gate.candidate.samples
    assert set(found) == {(False, False), (True, True)}


def test_the_end_of_the_measurement_is_remembered():
    trial = start("canary", ERRORS)
    assert trial.go().measured_to == trial.now


@pytest.mark.parametrize(
    ("began", "count"),
    [pytest.param(True, 50, id="in a step"), pytest.param(False, 0, id="before it has begun")],
)
def test_requests_are_the_samples_of_a_canary_step(began: bool, count: int):
    trial = start("canary", ERRORS, **({} if began else {"step_started_at": None}))
    assert trial.go(errors=(100, 0, 50, 0)).step_samples == count


def test_pairs_are_the_samples_of_a_shadow():
    trial = start("shadow", ERRORS)
    state = trial.go(errors=(100, 0, 50, 0), **pairs(n=30)(np.random.default_rng(1)))
    assert state.step_samples == 30


# -- beyond statistics


@pytest.mark.parametrize(
    ("rounds", "failing"),
    [
        pytest.param([(50, 0, 2, 2)] * 4, 8, id="all of its requests"),
        pytest.param([(50, 0, 2, 2), (50, 0, 0, 0), (50, 0, 2, 2)], 4, id="nothing says nothing"),
        pytest.param([(50, 0, 9, 9), (50, 0, 3, 2)], 0, id="one answer and it begins anew"),
        pytest.param([(50, 26, 9, 9)], 0, id="what both depend on is broken"),
        pytest.param([(50, 25, 9, 9)], 9, id="half of the other one's"),
        pytest.param([(0, 0, 9, 9)], 9, id="only the candidate was asked"),
    ],
)
def test_requests_in_a_row_that_the_candidate_failed(rounds: Any, failing: int):
    trial = start("canary", ERRORS)
    for counted in rounds:
        trial.go(errors=counted)
    assert trial.state.failing == failing


@pytest.mark.parametrize("phase", ["Shadow", "Canary", "Promoting", "Holdback"])
def test_a_candidate_that_fails_everything_is_broken_whatever_the_phase(phase: Any):
    trial = Trial(start("canary", ERRORS).spec, state_of(phase))
    trial.go(errors=(50, 0, HOPELESS - 1, HOPELESS - 1))
    assert broken(trial.state, ()) == ""
    trial.go(errors=(50, 0, 1, 1))
    assert broken(trial.state, ()) == f"the last {HOPELESS} requests all failed"


@pytest.mark.parametrize(
    ("usual", "row"),
    [
        pytest.param(0.05, 10, id="few"),
        pytest.param(0.3, 17, id="many"),
        pytest.param(0.95, 196, id="nearly all"),
    ],
)
def test_where_failures_are_usual_more_of_them_in_a_row_are_needed(usual: float, row: int):
    counted = {str(STABLE): 100_000}
    reading = RouterTotals(router="a", requests=counted, errors={str(STABLE): int(1e5 * usual)})
    state = state_of("Canary").model_copy(update={"routers": (reading,)})
    few, enough = (state.model_copy(update={"failing": row + more}) for more in (-1, 2))
    assert (broken(few, ()), bool(broken(enough, ()))) == ("", True)


def pod(
    *, restarts: int = 0, ready: bool = False, lasted: int | None = 5, version: int = CANDIDATE
) -> dict[str, Any]:
    ended: dict[str, Any] = {"message": "model.onnx: no such file"}
    if lasted is not None:
        times = (
            f"2026-09-21T{14 + s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in (0, lasted)
        )
        ended |= dict(zip(("startedAt", "finishedAt"), times, strict=True))
    return {
        "metadata": {"labels": {"pawl.dev/role": "server", "pawl.dev/version": str(version)}},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {
                    "name": "server",
                    "restartCount": restarts,
                    "lastState": {"terminated": ended} if restarts else {},
                }
            ],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        pytest.param([pod(restarts=2)], "no such file", id="again and again"),
        pytest.param([pod(restarts=9, lasted=None)], "no such file", id="for an unknown time"),
        pytest.param(
            [pod(restarts=2), pod()], "no such file", id="and the other one not yet ready"
        ),
        pytest.param([pod(restarts=2), pod(ready=True)], "", id="another one is ready"),
        pytest.param([pod(restarts=1)], "", id="once"),
        pytest.param([pod(restarts=5, ready=True)], "", id="it has recovered"),
        pytest.param([pod(restarts=5, lasted=7200)], "", id="after hours of work"),
        pytest.param([], "", id="no pods"),
    ],
)
def test_pods_that_crash(pods: Any, words: str):
    told = broken(state_of("Canary"), pods)
    assert words in told
    assert bool(words) == bool(told)


def test_only_servers_of_the_version_count():
    pods = (pod(), pod(version=STABLE), {"metadata": {"labels": {"pawl.dev/role": "router"}}})
    assert list(of_version(pods, CANDIDATE)) == [pods[0]]


# -- what has to fit into an object


def test_a_rollout_with_all_gates_and_routers_stays_small():
    shadow = [
        "disagreement",
        "score_difference_p95",
        "relative_difference_p95",
        "calibration_shift",
    ]
    shadow += ["prediction_psi", "latency_p95_ratio"]
    canary = ["latency_p50_ratio", "latency_p95_ratio", "latency_p99_ratio", "prediction_psi"]
    canary += ["absolute_error_p90_ratio"]
    spec = RolloutSpec.model_validate(
        {
            "shadow": {"gates": [*({"metric": m, "max": 0.123456789} for m in shadow), ERRORS]},
            "canary": {
                "steps": [{"weight": 50}],
                "gates": [
                    *({"metric": metric, "max": 0.123456789} for metric in canary),
                    ERRORS,
                    {"metric": "accuracy", "notWorseBy": 0.01},
                    {"prometheus": {"query": "x" * 500, "max": 1}},
                ],
            },
        }
    )
    rng = np.random.default_rng(11)
    state = state_of("Shadow", message="x" * 500, warning="x" * 300)
    for phase in ("Shadow", "Canary"):
        change = {"phase": phase, "routers": (), "weight": 50 if phase == "Canary" else 0}
        trial = Trial(spec, state.model_copy(update=change))
        for _ in range(25):
            counted = errors(0.0123, 0.0127, 123_457)(rng)
            both = {**latencies(1.1)(rng), "errors": counted["errors"]}
            answers = scores(0.1)(rng)
            for name in ("stable", "candidate"):
                arm, values = both[name], answers[name].values
                both[name] = Arm(
                    latency=arm.latency, values=values, labelled=997, wrong=101,
                    absolute_error=dict.fromkeys(range(600, 700), 7),
                )  # fmt: skip
            trial.go(**both, **pairs(n=60)(rng), queries={"x" * 500: 0.123456})
        state = trial.state
    assert len(state.gates) == 16
    assert all(gate.evidence for gate in state.gates)
    counts = {"1234567": 123_456_789_012, "1234568": 123_456_789_012, "1234568s": 123_456_789_012}
    totals = RouterTotals(
        router="churn-router-7d4b9c8f6d-x2x7k",
        started="5f0e4a2c-1a35-4f3e-9d5e-4a8b7a1d2c3f/12",
        uptime=1_234_567,
        routes="a" * 16,
        requests=counts,
        errors=counts,
        abandoned=counts,
    )
    state = state.model_copy(update={"routers": (totals,) * 32})
    dumped = state.model_dump(by_alias=True, exclude_none=True, mode="json")
    assert len(json.dumps(dumped)) < 24 * 1024
    assert RolloutStatus.model_validate(dumped) == state
    for gate in state.gates:
        assert len(gate.evidence) < 1000, gate.metric


COUNTS = st.integers(0, 1000)


@given(
    st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), max_size=8),
    st.sampled_from(["Shadow", "Canary", "Promoting", "Holdback"]),
)
def test_whatever_is_counted_the_state_stays_readable(counts: Any, phase: Any):
    trial = Trial(
        start("canary", ERRORS, {"metric": "accuracy", "notWorseBy": 0.5}).spec, state_of(phase)
    )
    for sn, sk, cn, ck in counts:
        arms = {
            "stable": Arm(labelled=sn, wrong=min(sn, sk)),
            "candidate": Arm(labelled=cn, wrong=min(cn, ck)),
        }
        trial.go(errors=(sn, sk, cn, ck), **arms)
    dumped = trial.state.model_dump(by_alias=True, exclude_none=True, mode="json")
    assert RolloutStatus.model_validate(dumped) == trial.state
    assert trial.state.failing >= 0


def test_a_measurement_of_nothing_changes_no_evidence():
    trial = start("canary", ERRORS)
    trial.go(errors=(100, 1, 100, 3))
    before = trial.gate("error_rate")
    empty = Measurement(START, START + 2, Arm(), Arm())
    state = fold(trial.state, trial.spec, empty, ())
    assert state.gates[0] == before
