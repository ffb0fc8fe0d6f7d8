"""What expressions give: kinds, missing values, statistics, and a row alone as among others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pawl.expressions import ExpressionError, Kind
from pawl.expressions.program import Program

NAN = float("nan")
KINDS: dict[str, Kind] = {
    "x": "number", "y": "number", "flag": "boolean", "plan": "text", "name": "text", "at": "time",
}  # fmt: skip
COLUMNS: dict[str, NDArray[Any]] = {
    "x": np.array([1.0, -4.0, NAN]),
    "y": np.array([2.0, 0.0, 3.0]),
    "flag": np.array([1.0, 0.0, NAN]),
    "plan": np.array(["Pro", "basic", ""], dtype=object),
    "name": np.array(["a", "", "c"], dtype=object),
    "at": np.array(["2026-11-26T10:59:59.5", "1969-12-31T23:00", "NaT"], dtype="datetime64[us]"),
}


def _run(text: str) -> list[Any]:
    program = Program.compile([("f", text)], KINDS, {})
    return program.fit(COLUMNS, 3, np.array([0, 1, 2])).run(COLUMNS, 3)["f"].tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("x + y * 2", [5, -4, NAN], id="arithmetic"),
        pytest.param("x / y", [0.5, NAN, NAN], id="division by zero is missing"),
        pytest.param("x // 3 + x % 3", [1, 0, NAN], id="floor and rest"),
        pytest.param("-x ** 2", [-1, -16, NAN], id="power"),
        pytest.param("log(x)", [0, NAN, NAN], id="log of a negative is missing"),
        pytest.param("sqrt(abs(x))", [1, 2, NAN], id="root"),
        pytest.param("exp(1000 * y)", [NAN, 1, NAN], id="overflow is missing"),
        pytest.param("min(x, y, 0)", [0, -4, NAN], id="min"),
        pytest.param("clip(y, 1, 2)", [2, 1, 2], id="clip"),
        pytest.param("x < y", [1, 1, NAN], id="comparison"),
        pytest.param("0 < y < 3", [1, 0, 0], id="chain"),
        pytest.param("flag or y > 2", [1, 0, 1], id="true or missing is true"),
        pytest.param("flag and y > 2", [0, 0, NAN], id="missing and true is missing"),
        pytest.param("not flag", [0, 1, NAN], id="not"),
        pytest.param("flag * 2", [2, 0, NAN], id="a boolean is a number"),
        pytest.param("x if flag else y", [1, 0, NAN], id="choice"),
        pytest.param("plan if flag else 'no'", ["Pro", "no", ""], id="choice of texts"),
        pytest.param("isnull(x) or isnull(plan) or isnull(at)", [0, 0, 1], id="isnull"),
        pytest.param("coalesce(x, y)", [1, -4, 3], id="coalesce"),
        pytest.param("coalesce(name, plan)", ["a", "basic", "c"], id="coalesce texts"),
        pytest.param("lower(plan)", ["pro", "basic", ""], id="lower"),
        pytest.param("len(plan)", [3, 5, NAN], id="len"),
        pytest.param("concat(plan, '-', name)", ["Pro-a", "basic-", "-c"], id="concat"),
        pytest.param("plan in ['Pro', 'team']", [1, 0, NAN], id="one of"),
        pytest.param("y not in (2, 3)", [0, 1, 0], id="none of"),
        pytest.param("'ro' in plan", [1, 0, NAN], id="part of"),
        pytest.param("plan == 'basic'", [0, 1, NAN], id="equal texts"),
        pytest.param("hour(at)", [10, 23, NAN], id="hour"),
        pytest.param("weekday(at)", [3, 2, NAN], id="weekday, Monday is 0"),
        pytest.param("day(at) + 100 * month(at)", [1126, 1231, NAN], id="day and month"),
        pytest.param("year(at)", [2026, 1969, NAN], id="year"),
        pytest.param("at - at", [0, 0, NAN], id="difference of times"),
        pytest.param("y - fitted.mean(y)", [1 / 3, -5 / 3, 4 / 3], id="mean"),
        pytest.param("fitted.max(x) + fitted.min(x)", [-3, -3, -3], id="statistics skip missing"),
        pytest.param("fitted.std(y) ** 2", [14 / 9] * 3, id="std of the population"),
        pytest.param("fitted.median(y)", [2, 2, 2], id="median"),
        pytest.param("1 + 2", [3, 3, 3], id="constant"),
    ],
)
def test_values(text: str, expected: list[Any]) -> None:
    found = _run(text)
    if isinstance(expected[0], str):
        assert found == expected
    else:
        assert found == pytest.approx(expected, nan_ok=True, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("plan + 1", r"f: \+ takes numbers, not text, number", id="text in a sum"),
        pytest.param("hour(x)", "hour takes a time, not number", id="hour of a number"),
        pytest.param("x if y else 0", "a boolean as condition", id="number as condition"),
        pytest.param("x if flag else plan", "two values of one kind", id="mixed choice"),
        pytest.param("z", 'there is no column "z"', id="unknown column"),
        pytest.param("fitted.mean(z)", 'there is no column "z"', id="statistic of nothing"),
        pytest.param("fitted.mean(plan)", "plan is a text", id="statistic of a text"),
        pytest.param("plan < name", "numbers or times", id="order of texts"),
    ],
)
def test_what_does_not_fit_is_told(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        Program.compile([("f", text)], KINDS, {})


def test_a_definition_may_use_those_before_it_only() -> None:
    program = Program.compile([("a", "x + 1"), ("b", "a * fitted.mean(a)")], KINDS, {})
    done = program.fit(COLUMNS, 3, np.array([0]))
    assert done.fitted == {"mean(a)": 2.0}
    assert done.run(COLUMNS, 3)["b"].tolist() == pytest.approx([4, -6, NAN], nan_ok=True)
    with pytest.raises(ExpressionError, match='no column "b", nor a definition'):
        Program.compile([("a", "b"), ("b", "x")], KINDS, {})
    with pytest.raises(ExpressionError, match="x: there is a column of this name already"):
        Program.compile([("x", "y")], KINDS, {})


def test_only_what_is_needed_is_kept() -> None:
    texts = [("a", "x / fitted.mean(y)"), ("b", "len(plan)"), ("c", "a + 1")]
    fitted = Program.compile(texts, KINDS, {}).fit(COLUMNS, 3, np.array([0, 1, 2]))
    kept = fitted.only(["c"])
    assert (list(kept.kinds), dict(kept.inputs)) == (["a", "c"], {"x": "number"})
    assert kept.fitted.keys() == {"mean(y)"}
    assert fitted.only(["b"]).fitted == {}


def test_a_statistic_of_nothing_is_told() -> None:
    program = Program.compile([("f", "fitted.mean(x)")], KINDS, {})
    with pytest.raises(ExpressionError, match=r"fitted.mean\(x\): no training row has a value"):
        program.fit(COLUMNS, 3, np.array([2]))


def test_texts_that_build_on_each_other_do_not_explode() -> None:
    texts = [("t0", "concat(plan, plan)")]
    texts += [(f"t{i}", f"concat(t{i - 1}, t{i - 1})") for i in range(1, 64)]
    last = Program.compile(texts, KINDS, {}).run(COLUMNS, 3)["t63"]
    assert [len(text) for text in last] == [1024, 1024, 0]


EVERYTHING = [
    ("a", "log(abs(x)) * exp(y / 1e3) + sqrt(abs(y)) ** 1.7"),
    ("b", "coalesce(a, x - fitted.mean(x)) / fitted.std(y)"),
    ("c", "x % y if plan in ['u', 'v'] or hour(at) > 12 else b"),
    ("d", "concat(lower(plan), name)"),
    ("e", "log1p(abs(c)) > b"),
]
_number = st.floats(allow_infinity=False)
_row = st.tuples(_number, _number, st.sampled_from(["", "u", "W"]), st.integers(-(10**15), 10**15))


@given(st.lists(_row, min_size=1, max_size=40))
def test_a_row_alone_gives_bit_for_bit_what_it_gives_among_others(
    rows: list[tuple[float, float, str, int]],
) -> None:
    x, y, plan, at = zip(*rows, strict=True)
    columns: dict[str, NDArray[Any]] = {
        "x": np.array(x),
        "y": np.array(y),
        "plan": np.array(plan, dtype=object),
        "name": np.array(plan, dtype=object),
        "at": np.array(at, dtype="datetime64[us]"),
    }
    program = Program.compile(EVERYTHING, KINDS, {"mean(x)": 0.1, "std(y)": 3.3})
    together = program.run(columns, len(rows))
    for i in range(len(rows)):
        alone = program.run({name: v[i : i + 1].copy() for name, v in columns.items()}, 1)
        for name, value in alone.items():
            if value.dtype.kind == "f":
                assert value.tobytes() == together[name][i : i + 1].tobytes()
            else:
                assert value[0] == together[name][i]
