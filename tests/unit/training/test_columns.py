"""What each column is for."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from pawl.api.data import Data
from pawl.errors import DataError
from pawl.training import derive
from pawl.training.columns import (
    Roles,
    assign_roles,
    bound_categories,
    encode_target,
    named_columns,
    require_columns,
)
from pawl.training.workspace import Feature

TABLE = pa.table(
    {
        "plan": ["basic", "pro"],
        "age": [1, 2],
        "flag": [True, False],
        "at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2),
        "tags": [["a"], ["b"]],
        "id": ["1", "2"],
        "gender": ["f", "m"],
        "y": [0, 1],
    }
)


def _data(**changes: Any) -> Data:
    base = {"uri": "file:///d.csv", "task": "binary", "target": "y"}
    return Data.model_validate(base | changes)


def _roles(data: Data) -> Roles:
    return assign_roles(TABLE, data, derive.compiled(TABLE, data))


def test_by_default_features_are_what_is_nothing_else() -> None:
    data = _data(idColumns=["id"], sensitive=["gender"])
    roles = _roles(data)
    assert [(f.name, f.kind) for f in roles.features] == [
        ("age", "numeric"),
        ("flag", "boolean"),
        ("plan", "categorical"),
    ]
    date, nested = roles.warnings
    assert date == 'column "at" is a date: left out of the features'
    assert nested.startswith('column "tags" is of type list')


@pytest.mark.parametrize(
    ("changes", "row_columns"),
    [
        ({"idColumns": ["id"]}, ("id",)),
        ({"features": ["plan", "age"]}, ("age", "plan", "y")),
        ({"ignore": ["id", "gender", "flag", "plan"]}, ("age", "y")),
        (
            {"features": ["old"], "derived": [{"name": "old", "expression": "age > 30 and flag"}]},
            ("age", "flag", "y"),
        ),
    ],
)
def test_a_row_is_told_apart_by_its_ids_else_by_what_is_learnt(
    changes: dict[str, Any], row_columns: tuple[str, ...]
) -> None:
    assert _roles(_data(**changes)).row_columns == row_columns


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": ["at"]}, 'column "at" is a date, which a model cannot take; derive'),
        ({"features": ["tags"]}, "which a model cannot take"),
        ({"features": ["age"], "idColumns": ["age"]}, "is a feature and something else too"),
        ({"ignore": ["plan", "age", "flag", "id", "gender", "at", "tags"]}, "no column is left"),
    ],
)
def test_what_cannot_be_a_feature_is_told(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        _roles(_data(**changes))


def test_derived_features_are_features_like_columns() -> None:
    data = _data(
        ignore=["plan", "flag", "id", "gender", "step"],
        derived=[
            {"name": "step", "expression": "age * 2"},
            {"name": "big", "expression": "step > 3"},
            {"name": "label", "expression": "lower(plan)"},
            {"name": "when", "expression": "at"},
        ],
    )
    roles = _roles(data)
    assert [(f.name, f.kind) for f in roles.features] == [
        ("age", "numeric"),
        ("big", "boolean"),
        ("label", "categorical"),
    ]
    assert 'column "when" is a date: left out of the features' in roles.warnings


def test_labels_of_annotators_are_no_features() -> None:
    data = _data(idColumns=["id"], labels={"annotators": ["flag", "plan"]})
    assert [f.name for f in _roles(data).features] == ["age", "gender"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param({"annotators": ["plan", "flag"], "aggregate": "majority"}, None, id="made"),
        pytest.param({"annotators": ["plan", "flag"]}, r'"z" \(data.target\)', id="not made"),
        pytest.param(
            {"annotators": ["plan", "anna"], "aggregate": "majority"},
            r'"anna" \(data.labels\)',
            id="an annotator",
        ),
    ],
)
def test_a_target_that_is_made_need_not_be_there(labels: dict[str, Any], said: str | None) -> None:
    wanted = contextlib.nullcontext() if said is None else pytest.raises(DataError, match=said)
    with wanted:
        require_columns(TABLE, named_columns(_data(target="z", labels=labels)))


def test_too_many_texts_are_told() -> None:
    table = pa.table({"t": [f"text {i}" for i in range(10_001)], "y": [0] * 10_001})
    with pytest.raises(DataError, match="10,001 different texts, more than 10,000"):
        bound_categories(table, [Feature(name="t", kind="categorical")])


def test_a_missing_column_is_told_with_where_it_was_asked_for() -> None:
    data = _data(checks=[{"column": "plam", "type": "string"}])
    with pytest.raises(DataError, match=r'"plam" \(data.checks\[0\]\) .* did you mean "plan"\?'):
        require_columns(TABLE, named_columns(data))


@pytest.mark.parametrize(
    ("values", "changes", "classes", "encoded"),
    [
        pytest.param(["no", "yes", "no"], {}, ("no", "yes"), [0, 1, 0], id="greater is positive"),
        pytest.param(
            ["no", "yes", "no"], {"positiveLabel": "no"}, ("yes", "no"), [1, 0, 1], id="named"
        ),
        pytest.param([True, False], {}, (False, True), [1, 0], id="booleans"),
        pytest.param(
            [True, False], {"positiveLabel": "false"}, (True, False), [0, 1], id="named boolean"
        ),
        pytest.param([1.0, 2.0], {"positiveLabel": "1"}, (2, 1), [1, 0], id="whole doubles"),
        pytest.param(
            ["c", "a", "b"], {"task": "multiclass"}, ("a", "b", "c"), [2, 0, 1], id="many"
        ),
    ],
)
def test_classes_become_indices(
    values: list[Any], changes: dict[str, Any], classes: Any, encoded: list[int]
) -> None:
    found, names = encode_target(pa.chunked_array([values]), _data(**changes))
    assert (found.tolist(), names) == (encoded, classes)
    assert [type(name) for name in names] == [type(name) for name in classes]


@pytest.mark.parametrize(
    ("values", "changes", "said"),
    [
        ([1, 2, 3], {}, r"has 3 different values \(1, 2, 3\); task binary needs two"),
        (["a", "b"], {"positiveLabel": "c"}, '"c" does not occur in column "y"; there are: a, b'),
        (["a", "a"], {"task": "multiclass"}, "task multiclass needs 2 to 1000"),
        (["a", "b"], {"task": "regression"}, "of type string; regression needs numbers"),
        ([1.0, float("inf")], {"task": "regression"}, "infinite"),
    ],
)
def test_a_target_that_does_not_fit_is_told(
    values: list[Any], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        encode_target(pa.chunked_array([values]), _data(**changes))
