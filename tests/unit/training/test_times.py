"""Times of rows are microseconds, whatever they are written as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.training import times

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
MAY_MICROS = int(MAY.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([MAY], pa.timestamp("us", "UTC")), id="timestamp"),
        pytest.param(["2026-05-01T12:00:00"], id="text"),
        pytest.param(["2026-05-01T12:00:00Z"], id="text in UTC"),
        pytest.param(["2026-05-01T14:00:00+02:00"], id="text with a zone"),
    ],
)
def test_a_moment_is_the_same_however_it_is_written(values: Any) -> None:
    table = pa.table({"t": values})
    assert times.are_moments(table, "t")
    assert times.times(table, "t").tolist() == [MAY_MICROS]
    assert times.newest(table, "t", MAY_MICROS) == "2026-05-01T12:00:00Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read(when: datetime) -> None:
    moment = times.read(when.isoformat())
    assert times.read(times.written(moment)) == moment


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["2026-05-01T12:00:00", None], "2026-05-01T12:00:00Z", id="some missing"),
        pytest.param(
            ["2026-05-01T12:00:00", "9999-12-31T00:00:00"], "2026-05-01T12:00:00Z", id="a future"
        ),
        pytest.param(["9999-12-31T00:00:00"], None, id="no past"),
        pytest.param([1, 2], None, id="numbers"),
        pytest.param(["soon"], None, id="no times"),
    ],
)
def test_the_newest_row_is_told_where_it_can_be(values: Any, expected: str | None) -> None:
    assert times.newest(pa.table({"t": values}), "t", MAY_MICROS) == expected
