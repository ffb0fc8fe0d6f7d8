"""Rows get the columns of the one row with their key."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.data import Source
from pawl.errors import DataError
from pawl.training.joins import join

ROWS = pa.table({"id": ["c", "a", None, "z", "a"], "n": [1, 2, 3, 4, 5]})
PLANS = pa.table({"id": ["a", "b", "c"], "plan": ["pro", "basic", None], "age": [1.0, 2.0, 3.0]})


def source(**more: Any) -> Source:
    return Source.model_validate({"name": "plans", "uri": "s3://b/plans", "key": ["id"], **more})


def test_every_row_gets_the_columns_of_its_key_in_the_order_of_the_rows() -> None:
    joined, warning = join(ROWS, PLANS, source())
    assert joined.to_pydict() == {
        "id": ["c", "a", None, "z", "a"],
        "n": [1, 2, 3, 4, 5],
        "plan": [None, "pro", None, None, "pro"],
        "age": [3.0, 1.0, None, None, 1.0],
    }
    assert (
        warning == "2 of 5 rows have no match in source plans; their columns are missing"
    )  # a missing key has no match


def test_an_inner_join_leaves_rows_without_a_match_out() -> None:
    joined, warning = join(ROWS, PLANS, source(how="inner", columns=["age"]))
    assert joined.to_pydict() == {"id": ["c", "a", "a"], "n": [1, 2, 5], "age": [3.0, 1.0, 1.0]}
    assert warning == "2 of 5 rows have no match in source plans; they were left out"


def test_rows_that_all_match_bring_no_warning() -> None:
    assert join(ROWS.take([0, 1]), PLANS, source())[1] is None


def test_a_key_of_numbers_is_compared_as_text() -> None:
    rows, other = pa.table({"id": ["7", "10"]}), pa.table({"id": [7.0, 10.0], "x": [1, 2]})
    assert join(rows, other, source())[0].column("x").to_pylist() == [1, 2]


def test_a_key_of_several_columns_must_match_in_all() -> None:
    rows = pa.table({"id": ["a", "a", "b"], "month": ["1", "2", "1"]})
    other = pa.table({"month": ["1", "2"], "id": ["a", "a"], "x": [1, 2]})
    joined, _ = join(rows, other, source(key=["id", "month"]))
    assert joined.column("x").to_pylist() == [1, 2, None]


@pytest.mark.parametrize(
    ("other", "more", "said"),
    [
        pytest.param(
            {"id": ["a", "b", "a", "b", "a"], "x": [1] * 5},
            {},
            r"data\.sources plans: the key a occurs 3 times \(rows 1, 3, …\), and so do 1 others; "
            r"a join needs one row a key \(id\)",
            id="a repeated key",
        ),
        pytest.param({"id": ["q"], "x": [1]}, {}, "no row has a match by id", id="no match"),
        pytest.param({"id": [None], "x": [1]}, {}, "no row has a match by id", id="no key"),
        pytest.param({"id": ["a"], "n": [1]}, {}, '"n" is there already', id="a column twice"),
        pytest.param({"x": [1]}, {}, '"id" is not in the source; there are: x', id="no key here"),
        pytest.param(
            {"id": ["a"], "x": [1]}, {"key": ["x"]}, '"x" is not in the rows', id="no key there"
        ),
        pytest.param(
            {"id": ["a"]}, {"columns": ["x"]}, '"x" is not in the source', id="no such column"
        ),
    ],
)
def test_what_cannot_be_joined_is_told(other: Any, more: Any, said: str) -> None:
    table = pa.table({k: pa.array(v, pa.string() if k == "id" else None) for k, v in other.items()})
    with pytest.raises(DataError, match=said):
        join(ROWS, table, source(**more))


KEYS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)


@given(KEYS, st.sets(st.sampled_from("abcdef"), min_size=1), st.sampled_from(["left", "inner"]))
def test_a_join_is_a_look_up(keys: list[str], known: set[str], how: str) -> None:
    value = {key: i for i, key in enumerate(sorted(known))}
    rows = pa.table({"id": keys, "at": range(len(keys))})
    other = pa.table({"id": list(value), "x": list(value.values())})
    expected = [(i, value.get(key)) for i, key in enumerate(keys) if how == "left" or key in value]
    if not set(keys) & known:
        with pytest.raises(DataError, match="no row has a match"):
            join(rows, other, source(how=how))
        return
    joined, _ = join(rows, other, source(how=how))
    assert list(zip(*joined.select(["at", "x"]).to_pydict().values(), strict=True)) == expected
