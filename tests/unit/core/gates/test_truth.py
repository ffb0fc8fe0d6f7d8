"""Accuracy: predictions of equal age, and truth that comes alike for both versions."""

from __future__ import annotations

from typing import Any

import numpy as np
from trial import Trial, spec_of, state_of

from pawl.api.rollout_status import RolloutGate
from pawl.core.measurement import Arm

GATE = {"metric": "accuracy", "notWorseBy": 0.05}


def arm(n: int, wrong: int, *, weight: int, predictions: int, age: int = 0) -> Arm:
    return Arm(
        labelled=n, wrong=wrong, ages={age: (n, wrong)}, weights={weight: n},
        predictions=predictions,
    )  # fmt: skip


def run(stable: Any, candidate: Any, intervals: int = 60) -> RolloutGate:
    trial = Trial(spec_of("canary", GATE), state_of("Canary"))
    rng = np.random.default_rng(5)
    for _ in range(intervals):
        trial.go(stable=stable(rng), candidate=candidate(rng))
    return trial.state.gates[0]


def good(rng: np.random.Generator, n: int = 100, age: int = 0) -> Arm:
    told = int(rng.binomial(2 * n, 0.5))
    return arm(told, int(rng.binomial(told, 0.1)), weight=50, predictions=2 * n, age=age)


def test_a_version_that_is_as_right_passes_and_shows_who_was_right():
    gate = run(good, good)
    assert gate.verdict == "Pass"
    assert gate.candidate is not None
    assert gate.candidate.value is not None
    assert abs(gate.candidate.value - 0.9) < 0.02


def test_truth_that_comes_for_one_version_more_often_proves_nothing():
    gate = run(good, lambda rng: good(rng, 60))
    assert gate.verdict == "Inconclusive"
    assert "not alike" in gate.message


def test_truth_for_few_predictions_proves_nothing():
    def rarely(rng: np.random.Generator) -> Arm:
        return arm(100, int(rng.binomial(100, 0.1)), weight=50, predictions=1000)

    gate = run(rarely, rarely)
    assert gate.verdict == "Inconclusive"
    assert "20% are needed" in gate.message


def test_predictions_of_another_age_are_not_compared():
    gate = run(good, lambda rng: good(rng, age=8))
    assert gate.candidate is not None
    assert gate.candidate.samples == 0
    assert gate.verdict == "Inconclusive"
