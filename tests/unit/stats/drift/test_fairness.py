"""Differences between groups: proved, disproved, or not to be said."""

from __future__ import annotations

import numpy as np
import pytest

from pawl.stats.drift.fairness import (
    Rate,
    demographic_parity,
    equal_opportunity,
    equalised_odds,
    judge,
)
from pawl.stats.drift.performance import Confusion


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        pytest.param({"a": (5000, 2500), "b": (5000, 2450)}, "Pass", id="alike"),
        pytest.param({"a": (5000, 2500), "b": (5000, 1800)}, "Fail", id="far apart"),
        pytest.param({"a": (300, 150), "b": (300, 110)}, "Inconclusive", id="too few to say"),
        pytest.param({"a": (5000, 2500), "b": (99, 0)}, "Inconclusive", id="only one group"),
        pytest.param({}, "Inconclusive", id="no group"),
    ],
)
def test_demographic_parity(groups: dict[str, tuple[int, int]], verdict: str) -> None:
    assert demographic_parity(groups, 0.1).verdict == verdict


def test_the_largest_difference_is_told_first() -> None:
    found = demographic_parity({"a": (1000, 500), "b": (1000, 300), "c": (1000, 450)}, 0.05)
    top = found.gaps[0]
    assert (top.high, top.low, top.difference.value) == ("a", "b", pytest.approx(0.2))
    assert top.difference.lower < 0.2 < top.difference.upper
    assert [(gap.high, gap.low) for gap in found.failed] == [("a", "b"), ("c", "b")]


def test_small_groups_are_named_and_not_judged() -> None:
    found = demographic_parity({"a": (1000, 500), "b": (1000, 490), "c": (60, 0)}, 0.1)
    assert found.few == ("c",)
    assert found.verdict == "Pass"
    assert len(found.gaps) == 1


def test_many_groups_raise_no_more_false_alarms() -> None:
    """Ten groups of which two differ by just what is allowed: a plain interval per pair fails
    often, Holm's at most in 5 % (and the others are alike)."""
    generator = np.random.default_rng(1)
    rates = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4])
    failed = plain = 0
    for _ in range(200):
        k = generator.binomial(400, rates)
        found = demographic_parity({str(i): (400, int(x)) for i, x in enumerate(k)}, 0.1)
        failed += found.verdict == "Fail"
        plain += any(gap.difference.lower > 0.1 for gap in found.gaps)
    assert failed / 200 <= 0.05 < plain / 200


def test_equal_opportunity_looks_at_true_positives_only() -> None:
    groups = {"a": Confusion(tp=900, fn=100, fp=900, tn=100), "b": Confusion(890, 10, 110, 990)}
    found = equal_opportunity(groups, 0.05)
    assert found.gaps[0].difference.value == pytest.approx(0.9 - 0.89)
    assert found.verdict == "Pass"


def test_equalised_odds_also_looks_at_false_positives() -> None:
    groups = {"a": Confusion(tp=900, fn=100, fp=900, tn=100), "b": Confusion(890, 10, 110, 990)}
    found = equalised_odds(groups, 0.05)
    assert (found.gaps[0].kind, found.verdict) == ("fpr", "Fail")
    assert found.gaps[0].difference.value == pytest.approx(0.9 - 10 / 1000)


def test_rows_are_counted_per_label() -> None:
    groups = {"a": Confusion(tp=900, fn=100, fp=10, tn=40), "b": Confusion(890, 10, 110, 990)}
    found = equalised_odds(groups, 0.05)
    assert found.few == ("a",)
    assert [gap.kind for gap in found.gaps] == ["recall"]


def test_bursts_make_it_harder_to_prove() -> None:
    groups = {"a": (1000, 500), "b": (1000, 320)}
    assert demographic_parity(groups, 0.1).verdict == "Fail"
    assert demographic_parity(groups, 0.1, effect=5).verdict == "Inconclusive"


def test_p_belongs_to_the_interval() -> None:
    rates = [Rate("a", 56, 70), Rate("b", 48, 80)]
    [gap] = judge([Rate(r.group, 2 * r.k, 2 * r.n) for r in rates], 0.1).gaps
    again = judge([Rate(r.group, 2 * r.k, 2 * r.n) for r in rates], gap.difference.lower).gaps[0]
    assert again.p == pytest.approx(0.05)
