"""Point-in-time joins: what held at the time of the row, and nothing of later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.data import Source
from pawl.errors import DataError
from pawl.training.joins import join

START = datetime(2026, 1, 1, tzinfo=UTC)


def _days(*days: float | None) -> Any:
    moments = [None if day is None else START + timedelta(days=day) for day in days]
    return pa.array(moments, pa.timestamp("us", tz="UTC"))


def _source(**changes: Any) -> Source:
    as_of = {"time": "since", **changes.pop("asOf", {})}
    base = {"name": "plans", "uri": "s3://lake/plans.csv", "key": ["id"], "asOf": as_of}
    return Source.model_validate(base | changes)


ROWS = pa.table({"id": ["a", "a", "b", "c", None], "at": _days(0, 5, 5, 5, 5)})
PLANS = pa.table(
    {
        "id": ["a", "b", "a", "a", "b", None],
        "since": _days(5, 6, 1, 3, None, 0),
        "plan": ["pro", "late", "basic", "team", "no time", "nobody"],
    }
)


def _plans(rows: pa.Table, plans: pa.Table, **changes: Any) -> list[str | None]:
    found: list[str | None] = (
        join(rows, plans, _source(**changes), "at")[0].column("plan").to_pylist()
    )
    return found


def test_the_newest_row_that_is_not_after_counts() -> None:
    """At the same time counts; before the first, after all, of nobody or of no time does not."""
    assert _plans(ROWS, PLANS) == [None, "pro", None, None, None]
    earlier = pa.table({"id": ["a", "a", "a"], "at": _days(1, 2.9, 4)})
    assert _plans(earlier, PLANS) == ["basic", "basic", "team"]


def test_the_time_of_the_source_is_not_joined() -> None:
    found, warning = join(ROWS, PLANS, _source(), "at")
    assert found.column_names == ["id", "at", "plan"]
    assert warning == ("4 of 5 rows have no match in source plans; their columns are missing")


def test_what_is_too_old_is_no_match() -> None:
    rows = pa.table({"id": ["a", "a"], "at": _days(4, 30)})
    assert _plans(rows, PLANS, asOf={"maxAge": "1d"}) == ["team", None]
    assert _plans(rows, PLANS, asOf={"maxAge": "25d"}) == ["team", "pro"]


def test_of_two_at_one_time_the_last_counts() -> None:
    plans = pa.table({"id": ["a", "a"], "since": _days(1, 1), "plan": ["first", "second"]})
    assert _plans(pa.table({"id": ["a"], "at": _days(2)}), plans) == ["second"]


def test_without_times_there_is_no_join() -> None:
    plans = PLANS.set_column(1, "since", pa.array([1, 2, 3, 4, 5, 6]))
    with pytest.raises(DataError, match=r'"since" \(asOf.time\) holds no times with a date'):
        join(ROWS, plans, _source(), "at")


_event = st.tuples(st.sampled_from("abc"), st.integers(0, 30))


@given(
    st.lists(_event, min_size=1, max_size=30),
    st.lists(_event, min_size=1, max_size=30),
    st.none() | st.integers(1, 20),
)
def test_it_is_what_a_search_row_by_row_finds(
    rows: list[tuple[str, int]], known: list[tuple[str, int]], most: int | None
) -> None:
    table = pa.table({"id": [k for k, _ in rows], "at": _days(*(t for _, t in rows))})
    other = pa.table(
        {
            "id": [k for k, _ in known],
            "since": _days(*(t for _, t in known)),
            "plan": [str(i) for i in range(len(known))],
        }
    )
    expected: list[str | None] = []
    for key, at in rows:
        best = None
        for i, (their_key, since) in enumerate(known):
            fresh = most is None or at - since <= most
            newer = best is None or since >= known[best][1]
            if their_key == key and since <= at and fresh and newer:
                best = i
        expected.append(None if best is None else str(best))
    limits: dict[str, Any] = {} if most is None else {"asOf": {"maxAge": f"{most}d"}}
    if any(expected):
        assert _plans(table, other, **limits) == expected
        return
    with pytest.raises(DataError, match="no row has a match"):
        _plans(table, other, **limits)
