"""The functions of data.prepare."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pawl.api.preparation import StepFunction
from pawl.errors import DataError
from pawl.training.functions import run

TABLE = pa.table(
    {
        "id": ["a", "b", "a", "c"],
        "x": [1.0, None, 1.0, 3.0],
        "plan": ["pro", "", "pro", "basic"],
        "tags": [["t"], [], ["u"], []],
    }
)


def _run(*functions: dict[str, Any]) -> pa.Table:
    return run(TABLE, [StepFunction.model_validate(function) for function in functions])


@pytest.mark.parametrize(
    ("function", "ids"),
    [
        pytest.param({"dropDuplicates": {}}, ["a", "b", "c"], id="duplicates"),
        pytest.param({"dropDuplicates": {"columns": ["plan"]}}, ["a", "b", "c"], id="by a column"),
        pytest.param({"dropMissing": {}}, ["a", "a", "c"], id="missing"),
        pytest.param({"dropMissing": {"columns": ["id"]}}, ["a", "b", "a", "c"], id="in a column"),
        pytest.param({"keep": "x > 1"}, ["c"], id="a missing condition is not true"),
        pytest.param({"keep": "isnull(x) or plan == 'basic'"}, ["b", "c"], id="condition"),
    ],
)
def test_rows_that_stay_keep_their_order(function: dict[str, Any], ids: list[str]) -> None:
    assert _run(function).column("id").to_pylist() == ids


def test_functions_run_one_after_the_other() -> None:
    found = _run({"rename": {"x": "weight", "id": "patient"}}, {"keep": "weight >= 1"})
    assert found.column_names == ["patient", "weight", "plan", "tags"]
    assert found.column("patient").to_pylist() == ["a", "a", "c"]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        pytest.param({"keep": "x"}, "a boolean is wanted, not a number", id="no boolean"),
        pytest.param({"keep": "y > 1"}, 'there is no column "y"', id="no column"),
        pytest.param({"keep": "x > fitted.mean(x)"}, "is not given", id="before the split"),
        pytest.param({"keep": "x > 9"}, "leaves no row of 4", id="no row"),
        pytest.param({"rename": {"z": "y"}}, 'column "z" is not in the data', id="nothing"),
        pytest.param({"rename": {"x": "plan"}}, 'two columns "plan"', id="twice"),
        pytest.param({"dropMissing": {"columns": ["z"]}}, '"z" is not in the data', id="columns"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(function: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=r"data.prepare.functions\[0\]") as error:
        _run(function)
    assert said in str(error.value)
