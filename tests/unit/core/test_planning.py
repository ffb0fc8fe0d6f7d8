"""What a rollout needs: forecasts beside rollouts that are played through, and warnings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolloutStatus
from pawl.core.gates import definitions
from pawl.core.gates.rule import alphas_of
from pawl.core.planning import Forecast, Need, Supposed, forecast_of, observed
from pawl.core.planning._kinds import KINDS
from pawl.stats.sequential import proportions
from pawl.stats.sequential.proportions import Interval

ERRORS = {"metric": "error_rate", "notWorseBy": 0.01}
STEPS = [
    {"weight": 5, "duration": "10m"},
    {"weight": 25, "duration": "10m"},
    {"weight": 50, "duration": "30m"},
]


def spec(*gates: Any, steps: Any = STEPS, **more: Any) -> RolloutSpec:
    return RolloutSpec.model_validate({"canary": {"steps": steps, "gates": gates}} | more)


def need(found: Forecast, metric: str) -> Need:
    return next(need for need in found.needs if need.metric == metric)


def warned(found: Forecast, *words: str) -> list[str]:
    return [text for text in found.warnings if all(word in text for word in words)]


def played(rollout: RolloutSpec, rps: float, candidate: float, seed: int) -> tuple[str, float]:
    """A rollout with 1 % errors, decided every ten seconds: verdict, and seconds until then."""
    rng = np.random.default_rng(seed)
    assert rollout.canary is not None
    alphas = alphas_of(rollout, definitions(rollout))
    state, time = proportions.start(), 0
    steps = [step.weight for step in rollout.canary.steps]
    while True:
        weight = steps[min(time // 600, len(steps) - 1)] / 100
        n = int(10 * rps)
        of_candidate = int(rng.binomial(n, weight))
        others = n - of_candidate
        bad = int(rng.binomial(others, 0.01)), int(rng.binomial(of_candidate, candidate))
        state = proportions.update(
            state, Interval(others, bad[0], of_candidate, bad[1]), margin=0.01
        )
        time += 10
        verdict = proportions.judge(state, alpha_fail=alphas.fail, alpha_pass=alphas.passing)
        if verdict != "Inconclusive":
            return verdict, time


@pytest.mark.parametrize("rps", [20])
@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [pytest.param(0.01, "Pass", id="good"), pytest.param(0.02, "Fail", id="bad")],
)
def test_a_forecast_is_within_a_factor_of_two_of_rollouts(rps: int, candidate: float, verdict: str):
    rollout = spec(ERRORS, {"metric": "latency_p95_ratio", "max": 1.5})
    found = need(forecast_of(rollout, Supposed(rps)), "error_rate")
    runs = [played(rollout, rps, candidate, seed) for seed in range(9)]
    assert sum(told != verdict for told, _ in runs) <= 1
    median = float(np.median([time for _, time in runs]))
    expected = found.passes if verdict == "Pass" else found.stops
    assert expected / 2 <= median <= expected * 2


def test_evidence_of_steps_adds_up():
    found = need(forecast_of(spec(ERRORS), Supposed(10)), "error_rate")
    alone = found.good[0] / found.rates[0]
    assert 1200 < found.passes < alone
    seen = 600 * found.rates[0] / found.good[0] + 600 * found.rates[1] / found.good[1]
    left = (1 - seen) * found.good[2] / found.rates[2]
    assert found.passes == pytest.approx(1200 + left)


def test_more_gates_make_every_fail_slower():
    alone = need(forecast_of(spec(ERRORS), Supposed(20)), "error_rate")
    others = [{"metric": "latency_p95_ratio", "max": 1.5 + i} for i in range(7)]
    among = need(forecast_of(spec(ERRORS, *others), Supposed(20)), "error_rate")
    assert among.stops > alone.stops
    assert among.passes == alone.passes


def test_all_of_it_takes_the_stages_one_after_the_other():
    shadow = {"duration": "5m", "gates": [{"metric": "disagreement", "max": 0.05}]}
    found = forecast_of(spec(ERRORS, shadow=shadow), Supposed(1000))
    assert found.total == 5 * 60 + 50 * 60
    assert found.warnings == ()
    slow = forecast_of(spec(ERRORS, shadow=shadow), Supposed(1))
    assert slow.total > found.total
    parts = [need(slow, metric).passes for metric in ("disagreement", "error_rate")]
    assert slow.total == pytest.approx(sum(parts))


def test_a_step_that_proves_nothing_is_told():
    found = forecast_of(spec(ERRORS), Supposed(2, error_rate=0.05))
    assert len(warned(found, "canary 5 %", "cannot prove anything", "error_rate")) == 1
    assert not warned(forecast_of(spec(ERRORS), Supposed(100)), "cannot prove anything")


def test_a_last_step_that_waits_is_told():
    found = forecast_of(spec(ERRORS), Supposed(1))
    assert warned(found, "canary 50 %", "even a good version stays", "error_rate")


def test_samples_that_take_longer_than_the_step_are_told():
    found = forecast_of(spec(ERRORS), Supposed(5))
    assert warned(found, "minSamples 200 takes 13m20s", "10m") == [found.warnings[0]]
    assert found.steps[0].least == 800


def test_a_p99_needs_ten_thousand_requests():
    found = forecast_of(spec({"metric": "latency_p99_ratio", "max": 1.5}), Supposed(10))
    gate = need(found, "latency_p99_ratio")
    assert min(*gate.good, *gate.bad) >= 10_000
    # 600 s at 0.5/s, 600 s at 2.5/s, the rest at 5/s
    assert gate.passes == pytest.approx(1200 + (10_000 - 300 - 1500) / 5)
    assert warned(found, "latency_p99_ratio", "10,000", "33m20s")


def test_a_rollout_that_is_longer_than_its_deadline_is_told():
    decision = {"deadline": "1h"}
    assert warned(forecast_of(spec(ERRORS, decision=decision), Supposed(1)), "the deadline of 1h")
    assert not warned(forecast_of(spec(ERRORS, decision=decision), Supposed(100)), "deadline")


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        pytest.param([], "no required gate", id="no gate"),
        pytest.param([{**ERRORS, "required": False}], "no required gate", id="none required"),
        pytest.param(
            [{"prometheus": {"query": "up", "min": 1}}], "without a stated error rate", id="a query"
        ),
        pytest.param([{**ERRORS, "notWorseBy": 1e-9}], "no version can be expected", id="no hope"),
    ],
)
def test_what_no_statistics_hold_up_is_told(gates: Any, words: str):
    assert warned(forecast_of(spec(*gates), Supposed(100)), words)


def test_too_little_truth_is_told():
    rollout = spec({"metric": "accuracy", "notWorseBy": 0.03})
    assert warned(forecast_of(rollout, Supposed(100, feedback=0.1)), "accuracy", "20%")
    assert not warned(forecast_of(rollout, Supposed(100, feedback=0.3)), "accuracy: Inc")
    never = forecast_of(rollout, Supposed(100, feedback=0))
    assert never.total == math.inf


def test_truth_that_comes_for_some_takes_as_much_longer():
    rollout = spec({"metric": "accuracy", "notWorseBy": 0.03}, steps=[{"weight": 50}])
    all_, some = (forecast_of(rollout, Supposed(100, feedback=f)) for f in (1.0, 0.5))
    assert need(some, "accuracy").passes == pytest.approx(2 * need(all_, "accuracy").passes)


def test_sticky_users_are_told_to_say_less():
    rollout = RolloutSpec.model_validate(
        {"canary": {"steps": STEPS, "gates": [ERRORS], "sticky": {"header": "x-user"}}}
    )
    assert warned(forecast_of(rollout, Supposed(100)), "sticky")


def test_a_latency_that_must_fall_supposes_a_faster_version():
    found = need(
        forecast_of(spec({"metric": "latency_p95_ratio", "max": 0.9}), Supposed(50)),
        "latency_p95_ratio",
    )
    assert "0.72 times as slow" in found.supposed
    assert found.passes < math.inf


def test_without_requests_there_is_no_forecast():
    with pytest.raises(ValueError, match="above 0"):
        forecast_of(spec(ERRORS), Supposed(0))


def test_every_statistical_metric_has_a_forecast():
    shadow = [
        "disagreement",
        "score_difference_p95",
        "relative_difference_p95",
        "calibration_shift",
    ]
    shadow += ["prediction_psi", "latency_p95_ratio"]
    canary = ["latency_p50_ratio", "latency_p99_ratio", "absolute_error_p90_ratio"]
    rollout = RolloutSpec.model_validate(
        {
            "shadow": {"gates": [*({"metric": m, "max": 0.5} for m in shadow), ERRORS]},
            "canary": {
                "steps": STEPS,
                "gates": [
                    *({"metric": m, "max": 1.5} for m in canary),
                    {"metric": "accuracy", "notWorseBy": 0.1},
                ],
            },
        }
    )
    found = forecast_of(rollout, Supposed(50))
    assert {need.metric for need in found.needs} == set(KINDS)
    for gate in found.needs:
        assert 0 < gate.passes < math.inf, gate
        assert 0 < gate.stops < math.inf, gate
        assert gate.supposed


def test_what_a_rollout_under_way_has_measured_comes_before_what_is_supposed():
    arms = {
        "error_rate": {"value": 0.04, "samples": 1000},
        "accuracy": {"value": 0.7, "samples": 50},
        "latency_p95_ratio": {"value": 0.2, "samples": 50},
    }
    gates = [{"stage": "canary", "metric": name, "stable": arm} for name, arm in arms.items()]
    state = RolloutStatus.model_validate(
        {
            "phase": "Canary",
            "candidate": "churn-v8",
            "digest": "sha256:" + "8" * 64,
            "reference": 7,
            "started_at": "2026-09-21T14:13:20Z",
            "gates": gates,
        }
    )
    found = observed(Supposed(5), state)
    assert (found.rps, found.error_rate, found.wrong) == (5, 0.04, pytest.approx(0.3))
    assert observed(Supposed(5), None) == Supposed(5)
    gates[0]["stable"] = {"value": 0, "samples": 0}
    unseen = state.model_copy(update={"gates": ()})
    assert observed(Supposed(5), unseen) == Supposed(5)


@given(
    rps=st.floats(0.01, 1e5),
    base=st.floats(0, 1),
    margin=st.floats(0.001, 0.9),
    weights=st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True).map(sorted),
)
def test_a_forecast_is_never_before_what_it_waits_for(
    rps: float, base: float, margin: float, weights: list[int]
):
    steps = [{"weight": weight, "duration": "1m"} for weight in weights]
    found = forecast_of(
        spec({"metric": "error_rate", "notWorseBy": margin}, steps=steps), Supposed(rps, base)
    )
    (gate,) = found.needs
    assert found.total >= sum(step.least for step in found.steps)
    assert found.total >= gate.passes
    assert gate.passes > 0
    assert gate.stops > 0
