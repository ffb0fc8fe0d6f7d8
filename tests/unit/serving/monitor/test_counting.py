"""Counts by cell equal what one finds row by row."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.records import Baseline, NumericBaseline, Signature
from pawl.serving.monitor.cells import layout_of
from pawl.serving.monitor.counting import Table
from pawl.serving.monitor.steps import Counts

Made = Callable[..., Any]
SAMPLE = [0.0, 0.5, 1.0, 1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, nan, -4.0]
PLANS = ["pro", "basic", "basic", "", "other"]


def straight(feature: NumericBaseline, values: list[float]) -> tuple[list[int], list[int], Any]:
    """Cells, fine bins and sums, one value at a time."""
    cells = [0] * (len(feature.counts) + 2)
    fine, sums = [0] * len(feature.fine_counts), [0.0] * len(feature.fine_counts)
    for value in values:
        if isnan(value):
            cells[-2] += 1
            continue
        cells[sum(value > edge for edge in feature.edges)] += 1
        cells[-1] += value < feature.minimum or value > feature.maximum
        bin_ = sum(value > edge for edge in feature.fine_edges)
        fine[bin_] += 1
        sums[bin_] += value if isfinite(value) and abs(value) <= 1e150 else 0.0
    return cells, fine, sums


@pytest.fixture(scope="session")
def counted(
    baseline_of: Made, signature_of: Made
) -> Callable[[list[tuple[float, str, float]]], tuple[Counts, Baseline]]:
    """Rows of a number, a category and a score, counted at once."""
    baseline: Baseline = baseline_of({"a": SAMPLE}, {"plan": PLANS}, prediction=[0.1, 0.4, 0.9])
    signature: Signature = signature_of("no", "yes").model_copy(
        update={"numeric": ("unused", "a"), "categorical": ("plan",)}
    )
    table = Table(layout_of(signature, baseline, "numeric"))

    def count(rows: list[tuple[float, str, float]]) -> tuple[Counts, Baseline]:
        numbers = np.array([[7.0, number, score] for number, _, score in rows]).reshape(-1, 3)
        tally = table.tally()
        assert tally is not None
        tally.put([plan for _, plan, _ in rows])
        counts = table.count(numbers, [])
        return counts._replace(cells=counts.cells + tally.take()), baseline

    return count


numbers = st.one_of(st.sampled_from([*SAMPLE, inf, -inf, 1e200, 13.1]), st.floats(width=64))
plans = st.sampled_from([*PLANS, "never seen"])
scores = st.one_of(st.floats(0, 1), st.just(nan))


@given(rows=st.lists(st.tuples(numbers, plans, scores), max_size=30))
def test_counts_are_those_of_a_straightforward_look_at_each_row(
    rows: list[tuple[float, str, float]], counted: Made
) -> None:
    counts, baseline = counted(rows)
    (feature,), prediction = baseline.numeric, baseline.prediction
    cells, fine, sums = straight(feature, [row[0] for row in rows])
    of_plans = [sum(row[1] == plan for row in rows) for plan in ("basic", "other", "pro")]
    unseen, missing = (sum(row[1] == plan for row in rows) for plan in ("never seen", ""))
    cells_of_scores, fine_of_scores, sums_of_scores = straight(prediction, [row[2] for row in rows])
    assert baseline.categorical[0].categories == ("basic", "other", "pro")
    assert counts.cells.tolist() == [*cells, *of_plans, unseen, missing, *cells_of_scores]
    assert counts.fine.tolist() == fine + fine_of_scores
    np.testing.assert_allclose(counts.sums, sums + sums_of_scores, rtol=1e-12)


def test_a_value_at_an_edge_belongs_to_the_bin_below(counted: Made) -> None:
    counts, baseline = counted([(edge, "pro", 0.5) for edge in baseline_edges(counted)])
    bins = len(baseline.numeric[0].counts)
    assert counts.cells[:bins].tolist() == [1] * (bins - 1) + [0]


def baseline_edges(counted: Made) -> tuple[float, ...]:
    edges: tuple[float, ...] = counted([])[1].numeric[0].edges
    return edges


def test_classes_are_counted_by_name(baseline_of: Made, signature_of: Made) -> None:
    baseline = baseline_of({}, {}, prediction=["true", "false"])
    layout = layout_of(signature_of(False, True), baseline, "category")
    counts = Table(layout).count(np.empty((5, 1)), [True, False, True, None, 7])
    assert layout.prediction is not None
    assert layout.prediction.labels == ["false", "true", "other", "missing"]
    assert counts.cells.tolist() == [1, 2, 1, 1]
