"""Checks name the column, how many rows fail, and which first."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.data import Check
from pawl.errors import DataError
from pawl.training.checks import run_checks
from pawl.training.tables import TIMESTAMP

NOW = 86_400 * 1_000_000
TABLE = pa.table(
    {
        "age": [30.0, -1.0, None, 200.0, float("nan")],
        "n": [1, 2, 3, 4, 5],
        "plan": ["basic", "pro", "", None, "gold"],
        "mixed": ["1", "2.5", "-3e2", "many", ""],
        "flag": [True, False, True, None, True],
        "at": pa.array([0, 1, 2, 3, 4], TIMESTAMP),
        "twice": ["a", "b", "a", None, None],
        "same": ["x"] * 5,
        "nothing": pa.nulls(5),
    }
)


def _run(*checks: dict[str, Any]) -> None:
    run_checks(TABLE, [Check.model_validate(check) for check in checks], NOW)


@pytest.mark.parametrize(
    "check",
    [
        {"minRows": 5},
        {"column": "age", "type": "number", "min": -1, "max": 200, "maxMissing": 0.4},
        {"column": "plan", "type": "string", "allowed": ["basic", "pro", "gold"]},
        {"column": "n", "allowed": ["1", "2", "3", "4", "5"]},
        {"column": "flag", "type": "boolean"},
        {"column": "at", "type": "datetime"},
        {"column": "nothing", "type": "number", "min": 0},
    ],
    ids=str,
)
def test_what_holds_says_nothing(check: dict[str, Any]) -> None:
    _run(check)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ({"minRows": 6}, "5 rows, at least 6 expected"),
        (
            {"column": "age", "min": 0},
            "column \"age\": 1 of 5 rows is below 0 (row 2; the first is '-1.0')",
        ),
        (
            {"column": "age", "max": 29},
            "column \"age\": 2 of 5 rows are above 29 (rows 1, 4; the first is '30.0')",
        ),
        (
            {"column": "age", "maxMissing": 0.1},
            'column "age": 2 of 5 rows are missing, 40.00% where at most 10.00% may be (rows 3, 5)',
        ),
        (
            {"column": "plan", "maxMissing": 0.0},
            'column "plan": 2 of 5 rows are missing, 40.00% where at most 0.00% may be (rows 3, 4)',
        ),
        (
            {"column": "plan", "allowed": ["basic", "pro"]},
            "column \"plan\": 1 of 5 rows is not one of basic, pro (row 5; the first is 'gold')",
        ),
        (
            {"column": "mixed", "type": "number"},
            "column \"mixed\": 1 of 5 rows is no number (row 4; the first is 'many')",
        ),
        (
            {"column": "n", "type": "string"},
            "column \"n\": 5 of 5 rows are no string (rows 1, 2, 3, 4, 5; the first is '1')",
        ),
        ({"column": "plan", "min": 0}, 'column "plan": min and max need numbers, it holds string'),
    ],
    ids=str,
)
def test_what_fails_is_told(check: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError) as told:
        _run(check)
    assert str(told.value) == sentence
    assert told.value.reason == "CheckFailed"


def test_all_failures_are_told_at_once() -> None:
    with pytest.raises(DataError, match=r"5 rows, at least 9 expected; column \"age\": 1 of 5"):
        _run({"minRows": 9}, {"column": "age", "min": 0})


def test_many_rows_are_cut_short() -> None:
    table = pa.table({"x": list(range(2000))})
    with pytest.raises(
        DataError, match=r"2,000 of 2,000 rows are below 5000 \(rows 1, 2, 3, 4, 5, …"
    ):
        run_checks(table, [Check.model_validate({"column": "x", "min": 5000})], NOW)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param({"unique": ["n"]}, id="unique"),
        pytest.param({"unique": ["twice", "n"]}, id="unique together"),
        pytest.param({"column": "plan", "pattern": "[a-z]+"}, id="pattern"),
        pytest.param({"column": "n", "pattern": r"\d"}, id="pattern of numbers"),
        pytest.param({"column": "at", "notBefore": "1970-01-01T00:00:00Z"}, id="notBefore"),
        pytest.param({"column": "at", "notAfter": "1970-01-01T00:00:01Z"}, id="notAfter"),
        pytest.param({"column": "at", "maxAge": "1d"}, id="maxAge"),
        pytest.param({"column": "nothing", "maxAge": "1s", "pattern": "x"}, id="no value"),
    ],
)
def test_what_is_unique_alike_or_new_holds(check: dict[str, Any]) -> None:
    _run(check)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        pytest.param(
            {"unique": ["twice"]},
            "column \"twice\": 1 of 5 rows is repeated (row 3; the first is 'a')",
            id="unique",
        ),
        pytest.param(
            {"unique": ["same", "flag"]},
            'columns "same", "flag": 2 of 5 rows are repeated (rows 3, 5; the first is '
            "\"('x', True)\")",
            id="unique together",
        ),
        pytest.param(
            {"column": "plan", "pattern": "basic|pr|gold"},
            "column \"plan\": 1 of 5 rows is not like basic|pr|gold (row 2; the first is 'pro')",
            id="pattern is of the whole value",
        ),
        pytest.param(
            {"column": "at", "notBefore": "1970-01-01T00:00:00.000002Z"},
            'column "at": 2 of 5 rows are before 1970-01-01T00:00:00.000002Z (rows 1, 2; '
            "the first is '1970-01-01 00:00:00+00:00')",
            id="notBefore",
        ),
        pytest.param(
            {"column": "at", "notAfter": "1970-01-01T00:00:00.000003Z"},
            'column "at": 1 of 5 rows is after 1970-01-01T00:00:00.000003Z (row 5; '
            "the first is '1970-01-01 00:00:00.000004+00:00')",
            id="notAfter",
        ),
        pytest.param(
            {"column": "at", "maxAge": "23h"},
            'column "at": the newest row is of 1970-01-01T00:00:00Z, older than 23h',
            id="maxAge",
        ),
        pytest.param(
            {"column": "plan", "maxAge": "1d"},
            'column "plan": notBefore, notAfter and maxAge need dates, it holds string',
            id="no dates",
        ),
    ],
)
def test_what_is_repeated_unlike_or_old_is_told(check: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError) as told:
        _run(check)
    assert str(told.value) == sentence


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(DataError, match=r'column "plan": pattern .* is no regular expression'):
        _run({"column": "plan", "pattern": "("})


def test_a_pattern_that_would_backtrack_for_ever_does_not() -> None:
    table = pa.table({"x": ["a" * 5000 + "!"]})
    with pytest.raises(DataError, match="not like"):
        run_checks(table, [Check.model_validate({"column": "x", "pattern": "(a+)+"})], NOW)


@given(st.lists(st.floats(-10, 10) | st.none(), min_size=1, max_size=30), st.floats(-10, 10))
def test_as_many_rows_are_told_as_fail(values: list[float | None], least: float) -> None:
    below = sum(value is not None and value < least for value in values)
    table = pa.table({"x": pa.array(values, pa.float64())})
    checks = [Check.model_validate({"column": "x", "min": least})]
    if not below:
        run_checks(table, checks, NOW)
        return
    with pytest.raises(DataError, match=f"{below} of {len(values)} rows"):
        run_checks(table, checks, NOW)
