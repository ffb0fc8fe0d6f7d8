"""What a shadow has shown adds up over intervals."""

from __future__ import annotations

import random

import pytest

from pawl.core.gates.report import report
from pawl.stats.shadow import Comparison, Pair, compare


def pairs(count: int, seed: int, shift: float = 0.05) -> Comparison:
    rng = random.Random(seed)
    found = []
    for number in range(count):
        score = rng.random() * 0.9
        other = score + shift * rng.random()
        stable = Pair(number, 0, int(score > 0.5), score, 0.002, 200)
        status = 500 if rng.random() < 0.1 else 200
        found.append((stable, Pair(number, 0, int(other > 0.5), other, 0.003, status)))
    return compare(found)


def test_two_intervals_say_the_same_as_one():
    first, second = pairs(400, 1), pairs(600, 2)
    stepwise = report(report(None, first), second)
    at_once = report(None, first + second)
    assert stepwise is not None
    assert at_once is not None
    assert stepwise.pairs == at_once.pairs == 1000
    for name in ("disagreement", "calibration_shift", "latency_ratio", "candidate_error_rate"):
        assert getattr(stepwise, name) == pytest.approx(getattr(at_once, name), rel=1e-3), name
    assert stepwise.difference_p95 is not None
    assert at_once.difference_p95 is not None
    assert 1 <= stepwise.difference_p95 / at_once.difference_p95 < 1.16


def test_what_is_shown_is_what_happened():
    found = report(None, pairs(2000, 3))
    assert found is not None
    assert found.calibration_shift == pytest.approx(0.025, abs=0.002)
    assert found.latency_ratio == pytest.approx(1.5)
    assert found.candidate_error_rate == pytest.approx(0.1, abs=0.02)
    assert found.stable_error_rate == 0
    assert found.difference_p95 == pytest.approx(0.0475, rel=0.16)


def test_an_interval_without_pairs_changes_nothing_and_sums_stay_small():
    found = report(None, pairs(2000, 4))
    assert report(found, None) == found
    assert report(found, Comparison()) == found
    assert found is not None
    assert len(found.sums) < 3000


def test_sums_of_another_format_begin_anew():
    found = report(None, pairs(100, 5))
    assert found is not None
    again = report(found.model_copy(update={"sums": "[]"}), pairs(100, 6))
    assert again is not None
    assert again.pairs == 100
