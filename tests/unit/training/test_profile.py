"""A profile is passed by the sample that it was made of, and by others like it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.data import Check, Data
from pawl.errors import DataError
from pawl.training.checks import run_checks
from pawl.training.profile import profile
from pawl.training.tables import TIMESTAMP

N = 100
SAMPLE = pa.table(
    {
        "id": [f"c{i}" for i in range(N)],
        "age": [i % 50 + 10 for i in range(N)],
        "monthly": [None if i % 20 == 0 else i * 0.5 for i in range(N)],
        "balance": [i - 50.0 for i in range(N)],
        "plan": ["basic", "pro"] * (N // 2),
        "note": [f"n{i % 60}" for i in range(N)],
        "at": pa.array(range(N), TIMESTAMP),
        "same": ["x"] * N,
        "nothing": pa.nulls(N),
        "churned": [i % 3 == 0 for i in range(N)],
    }
)


def test_roles_and_bounds_have_the_margins_that_are_told() -> None:
    found = profile(SAMPLE, "churned")
    assert found == {
        "task": "binary",
        "target": "churned",
        "idColumns": ["id"],
        "timeColumn": "at",
        "ignore": ["same", "nothing"],
        "checks": [
            {"minRows": 50},
            {"unique": ["id"]},
            {"column": "age", "maxMissing": 0.01, "type": "number", "min": 5, "max": 64},
            {"column": "monthly", "maxMissing": 0.13, "type": "number", "min": 0.0, "max": 54.4},
            {"column": "balance", "maxMissing": 0.01, "type": "number", "min": -59.9, "max": 58.9},
            {"column": "plan", "maxMissing": 0.01, "type": "string", "allowed": ["basic", "pro"]},
            {"column": "note", "maxMissing": 0.01, "type": "string"},
            {"column": "at", "maxMissing": 0.01, "type": "datetime"},
            {"column": "churned", "maxMissing": 0.01, "type": "boolean"},
        ],
    }
    Data.model_validate({"uri": "s3://b/x.csv", **found})


@pytest.mark.parametrize(
    ("target", "task"),
    [
        pytest.param("plan", "binary", id="two texts"),
        pytest.param("note", "multiclass", id="many texts"),
        pytest.param("balance", "regression", id="numbers"),
    ],
)
def test_the_task_goes_by_the_target(target: str, task: str) -> None:
    assert profile(SAMPLE, target)["task"] == task


def test_what_is_unlike_the_sample_fails() -> None:
    checks = _checks(SAMPLE)
    at = SAMPLE.column_names.index("age")
    other = SAMPLE.set_column(at, "age", pa.array([65] * N))
    with pytest.raises(DataError, match='column "age": 100 of 100 rows are above 64'):
        run_checks(other, checks, 0)


VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.floats(allow_subnormal=False)), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.text("ab", max_size=2)), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=60),
)


@given(VALUES)
def test_the_sample_passes_its_own_profile(values: list[Any]) -> None:
    table = pa.table({"x": values})
    assert profile(table) == profile(table)
    run_checks(table, _checks(table), 0)


def _checks(table: pa.Table) -> list[Check]:
    return [Check.model_validate(check) for check in profile(table)["checks"]]
