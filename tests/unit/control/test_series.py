"""Steps from Prometheus: every cell at its place, and nothing guessed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pawl.control.features import Described, Steps
from pawl.control.prometheus import PrometheusError, Ranged
from pawl.control.series import Series, risen
from pawl.stats.drift.layout import Feature, Layout

START = 1_800_000_000
ITEM = {"metadata": {"namespace": "ml", "name": "churn"}}
LAYOUT = Layout.of(
    [
        Feature("plan", "category", [5.0, 5.0, 0.0, 0.0]),
        Feature("prediction", "category", [5.0, 5.0, 0.0, 0.0]),
    ]
)
TOLD = Described(
    "abc",
    LAYOUT,
    {
        (name, label): 4 * i + j
        for i, name in enumerate(("plan", "prediction"))
        for j, label in enumerate(("a", "b", "other", "missing"))
    },
)


@dataclass
class Prometheus:
    """Answers the first query, then the second one."""

    answers: list[list[Ranged] | PrometheusError]
    asked: list[tuple[str, int, int, int]] = field(default_factory=list)

    async def ranged(self, query: str, start: int, end: int, step: int) -> list[Ranged]:
        self.asked.append((query, start, end, step))
        answer = self.answers.pop(0)
        if isinstance(answer, PrometheusError):
            raise answer
        return answer


def ranged(values: dict[int, float], **labels: str) -> Ranged:
    return Ranged(labels, tuple((START + after, value) for after, value in values.items()))


def steps(prometheus: Prometheus, begin: int = 0, end: int = 180) -> list[Steps]:
    found = Series(cast(Any, prometheus))
    return asyncio.run(found.steps(ITEM, 7, TOLD, START + begin, START + end, 60))


def test_a_value_is_of_the_step_that_ends_with_it():
    prometheus = Prometheus(
        [
            [
                ranged({60: 3, 120: 0, 180: 2}, feature="plan", cell="a"),
                ranged({180: 1}, feature="plan", cell="missing"),
            ],
            [ranged({120: 4}, cell="b")],
        ]
    )
    (page,) = steps(prometheus)
    assert (page.layout, page.start, page.stop, page.step) == ("abc", START, START + 180, 60)
    assert page.cells.tolist() == [
        [3, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 4, 0, 0],
        [2, 0, 0, 1, 0, 0, 0, 0],
    ]
    (features, *times), (prediction, *_) = prometheus.asked
    assert times == [START + 60, START + 180, 60]
    where = '{namespace="ml",deployment="churn",version="7"}'
    assert f"pawl_feature_rows_total{where}" in features
    assert f"pawl_prediction_rows_total{where}" in prediction


@pytest.mark.parametrize(
    "series",
    [
        pytest.param(ranged({60: 9}, feature="plan", cell="c"), id="a cell of another baseline"),
        pytest.param(ranged({60: 9}, feature="age", cell="a"), id="another feature"),
        pytest.param(ranged({60: 9}), id="no cell"),
        pytest.param(ranged({0: 9, 240: 9}, feature="plan", cell="a"), id="another time"),
        pytest.param(ranged({60: -9, 120: 1e12}, feature="plan", cell="a"), id="no count"),
    ],
)
def test_what_cannot_be_is_left_out(series: Ranged):
    (page,) = steps(Prometheus([[series], []]))
    assert not page.cells.any()


def test_a_version_that_nobody_asks_was_seen_by_nobody():
    (page,) = steps(Prometheus([[], []]))
    assert (page.stop, page.cells.any()) == (START + 180, False)


def test_a_prometheus_that_is_down_tells_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
):
    down = PrometheusError("Prometheus did not answer")
    found = Series(cast(Any, Prometheus([down, [], down])))

    async def ask() -> list[Steps]:
        return await found.steps(ITEM, 7, TOLD, START, START + 60, 60)

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask()) == []
        assert asyncio.run(ask()) == []
    assert [record.message for record in caplog.records] == [
        "what servers count cannot be read: Prometheus did not answer"
    ]


def test_a_counter_that_fell_counts_in_full():
    assert risen("x", 60) == (
        "sum by (feature, cell) ((x - x offset 60s) >= 0 or (x and x offset 60s))"
    )
