"""Fairness gates: Fairlearn's definitions, and a verdict by intervals."""

from __future__ import annotations

from typing import Any

import fairlearn.metrics
import numpy as np
import pyarrow as pa
import pytest

from pawl.api.evaluation import Gate
from pawl.stats.metrics import Answers
from pawl.training.gate_fairness import decide

METRICS = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)


def rows(n: int, rates: dict[str, tuple[float, float]]) -> tuple[pa.Table, Any, Answers]:
    """Groups with the true and false positive rates of the model; half of the rows are positive."""
    generator = np.random.default_rng(5)
    group = generator.choice(list(rates), n)
    truth = generator.integers(0, 2, n)
    p = np.array([rates[g][1 - t] for g, t in zip(group, truth, strict=True)])
    labels = (generator.random(n) < p).astype(np.int64)
    return pa.table({"gender": group}), truth, Answers(labels=labels)


def gate(metric: str, maximum: float = 0.1) -> Gate:
    return Gate.model_validate({"fairness": metric, "attribute": "gender", "max": maximum})


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("groups", [2, 3])
def test_the_difference_is_that_of_fairlearn(metric: str, groups: int) -> None:
    rates = {"f": (0.8, 0.2), "m": (0.7, 0.35), "x": (0.9, 0.1)}
    table, truth, said = rows(2000, dict(list(rates.items())[:groups]))
    wanted = getattr(fairlearn.metrics, metric)(
        truth, said.labels, sensitive_features=np.asarray(table.column("gender"))
    )
    assert decide(gate(metric), table, truth, said).value == pytest.approx(wanted)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("other", "n", "verdict"),
    [
        pytest.param((0.8, 0.2), 8000, "Pass", id="alike"),
        pytest.param((0.5, 0.2), 8000, "Fail", id="far apart"),
        pytest.param((0.7, 0.15), 500, "Inconclusive", id="too few to say"),
    ],
)
def test_the_interval_decides(
    metric: str, other: tuple[float, float], n: int, verdict: str
) -> None:
    table, truth, said = rows(n, {"f": (0.8, 0.2), "m": other})
    result = decide(gate(metric), table, truth, said)
    assert result.verdict == verdict
    assert (result.kind, result.limit, result.column) == ("max", 0.1, "gender")
    assert result.interval is not None
    assert result.value is not None
    assert result.interval[0] < result.value < result.interval[1]


def test_every_group_is_told_with_its_interval() -> None:
    table, truth, said = rows(4000, {"f": (0.8, 0.2), "m": (0.5, 0.2)})
    result = decide(gate("equalized_odds_difference"), table, truth, said)
    told = {part.name: part for part in result.slices}
    assert set(told) == {
        f"{group}, {rate} positive rate" for group in "fm" for rate in ("true", "false")
    }
    assert told["f, true positive rate"].value == pytest.approx(0.8, abs=0.03)
    assert told["m, true positive rate"].verdict == "Fail"
    assert told["m, false positive rate"].verdict != "Fail"
    assert "true positive rate is" in result.message


def test_small_groups_are_named_and_not_judged() -> None:
    table, truth, said = rows(2000, {"f": (0.8, 0.2), "m": (0.8, 0.2)})
    group = np.asarray(table.column("gender")).astype("U9")
    group[:40] = "x"
    small = pa.table({"gender": group})
    result = decide(gate(METRICS[0]), small, truth, said)
    assert "not judged, with fewer than 100 rows: x" in result.message
    assert next(part for part in result.slices if part.name == "x").value is None


def test_one_group_says_nothing() -> None:
    table, truth, said = rows(500, {"f": (0.8, 0.2)})
    result = decide(gate(METRICS[0]), table, truth, said)
    assert (result.verdict, result.value) == ("Inconclusive", None)
