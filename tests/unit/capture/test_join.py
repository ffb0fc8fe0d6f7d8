"""Predictions meet their truth."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pawl.capture.join import join
from pawl.errors import DataError

DAY = 86_400.0


@pytest.fixture(name="after")
def long_after(noon: float) -> float:
    return noon + 100 * DAY


def test_a_row_is_features_and_the_truth(lake: Any, after: float) -> None:
    lake.predictions(("1", 30, "a"), ("2", 31, None), ("3", 32, "c"))
    lake.feedback(("2", "no"), ("1", "yes"), ("9", "yes"))
    made = join(lake.store, target="churned", before=after)
    assert made.table.select(["age", "email", "churned", "pawl_id"]).to_pylist() == [
        {"age": 30.0, "email": "a", "churned": "yes", "pawl_id": "1/0"},
        {"age": 31.0, "email": None, "churned": "no", "pawl_id": "2/0"},
    ]
    assert made.table.column_names == ["age", "email", "pawl_time", "pawl_id", "churned"]
    assert (made.young, made.untold) == (0, 1)


def test_only_mature_predictions_count_whatever_was_told(lake: Any, noon: float) -> None:
    lake.predictions(("1", 30, "a"))
    lake.predictions(("2", 31, "b"), days=5)
    lake.feedback(("1", "yes"), ("2", "yes"), days=6)
    made = join(lake.store, target="churned", before=noon + 3 * DAY)
    assert made.table.column("pawl_id").to_pylist() == ["1/0"]
    assert made.young == 1


def test_the_last_truth_counts(lake: Any, after: float) -> None:
    lake.predictions(("1", 30, "a"))
    lake.feedback(("1", "no"), days=3)
    lake.feedback(("1", "yes"), days=2)
    made = join(lake.store, target="churned", before=after)
    assert made.table.column("churned").to_pylist() == ["no"]


def test_a_prediction_counts_once_also_while_its_file_is_replaced(lake: Any, after: float) -> None:
    lake.predictions(("1", 30, "a"), ("2", 31, "b"))
    lake.predictions(("2", 31, "b"))
    lake.feedback(("1", "no"), ("2", "yes"))
    assert join(lake.store, target="churned", before=after).table.num_rows == 2


@pytest.mark.parametrize(
    ("label", "truth", "expected"),
    [
        pytest.param("integer", [1, 0], [1, 0], id="integers"),
        pytest.param("integer", [1.0, 0], [1, 0], id="as JSON writes them"),
        pytest.param("boolean", [True, False], [True, False], id="booleans"),
        pytest.param("number", [1, 2.5], [1.0, 2.5], id="numbers"),
        pytest.param(None, [1, 2.5], [1.0, 2.5], id="regression"),
        pytest.param("text", ["1", "no"], ["1", "no"], id="text"),
    ],
)
def test_the_target_is_of_the_kind_of_the_labels(
    label: Any, truth: Any, expected: Any, lake: Any, after: float
) -> None:
    lake.predictions(("1", 30, "a"), ("2", 31, "b"), label=label)
    lake.feedback(("1", truth[0]), ("2", truth[1]))
    found = join(lake.store, target="y", before=after).table.column("y").to_pylist()
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_a_truth_that_no_label_can_be_is_none(lake: Any, after: float) -> None:
    lake.predictions(("1", 30, "a"), ("2", 31, "b"), label="integer")
    lake.feedback(("1", "maybe"), ("2", 1))
    assert join(lake.store, target="y", before=after).table.column("y").to_pylist() == [1]


def test_versions_with_other_features_fit_together(lake: Any, after: float, noon: float) -> None:
    lake.predictions(("1", 30, "a"), version="7")
    lake.predictions(("2", 31, 5), version="8", email="number", days=2)
    lake.feedback(("1", "yes"), ("2", "no"))
    with pytest.raises(DataError, match="not of one kind"):
        join(lake.store, target="y", before=after)
    newer = join(lake.store, target="y", before=after, version="8")
    assert newer.table.schema.field("email").type == pa.float64()
    assert join(lake.store, target="y", before=after, since=noon + DAY).table.num_rows == 1


@pytest.mark.parametrize(
    ("told", "target", "said"),
    [
        pytest.param((), "y", "none of 1 mature predictions", id="no truth"),
        pytest.param((("1", "yes"),), "age", "a feature age already", id="the target's name"),
    ],
)
def test_what_makes_no_table_is_told(
    told: Any, target: str, said: str, lake: Any, after: float
) -> None:
    lake.predictions(("1", 30, "a"))
    if told:
        lake.feedback(*told)
    with pytest.raises(DataError, match=said):
        join(lake.store, target=target, before=after)


def test_nothing_captured_is_told(lake: Any, after: float) -> None:
    with pytest.raises(DataError, match="no captured predictions"):
        join(lake.store, target="y", before=after)


def test_the_same_rows_make_the_same_table(lake: Any, after: float) -> None:
    lake.predictions(("2", 31, "b"), ("1", 30, "a"))
    lake.feedback(("1", "yes"), ("2", "no"))
    one = join(lake.store, target="y", before=after).table
    for path in lake.store.list("predictions"):
        (lake.folder / path).unlink()
    lake.predictions(("1", 30, "a"))
    lake.predictions(("2", 31, "b"))
    assert join(lake.store, target="y", before=after).table.equals(one)
