"""Rows stay where they are; groups and times stay together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.data import Data
from pawl.errors import DataError
from pawl.training.split import TEST, TRAIN, folds, split


def _data(**changes: Any) -> Data:
    return Data.model_validate({"uri": "file:///d.csv", "task": "binary", "target": "y", **changes})


def _by_id(ids: list[str], parts: Any) -> dict[str, int]:
    return dict(zip(ids, parts.tolist(), strict=True))


BASE = [f"customer-{i}" for i in range(200)]


@settings(max_examples=40)
@given(
    more=st.lists(st.text(min_size=1, max_size=8), max_size=50, unique=True),
    gone=st.sets(st.integers(0, 199), max_size=50),
    order=st.randoms(use_true_random=False),
)
def test_other_rows_never_move_a_row(more: list[str], gone: set[int], order: Any) -> None:
    before = _by_id(BASE, split(pa.table({"id": BASE}), _data(), ("id",), "churn"))
    later = [name for i, name in enumerate(BASE) if i not in gone] + more
    order.shuffle(later)
    after = _by_id(later, split(pa.table({"id": later}), _data(), ("id",), "churn"))
    assert all(after[name] == before[name] for name in after if name in before)


def test_another_model_splits_otherwise() -> None:
    table = pa.table({"id": BASE})
    assert (
        split(table, _data(), ("id",), "a").tolist() != split(table, _data(), ("id",), "b").tolist()
    )


def test_the_shares_are_as_asked() -> None:
    table = pa.table({"id": np.arange(50_000).astype(str)})
    parts = split(table, _data(split={"test": 0.3, "validation": 0.1}), ("id",), "m")
    shares = np.bincount(parts) / len(parts)
    assert shares == pytest.approx([0.6, 0.1, 0.3], abs=0.01)


def test_a_larger_test_part_takes_in_the_smaller_one() -> None:
    table = pa.table({"id": BASE})
    small = split(table, _data(split={"test": 0.2}), ("id",), "m") == TEST
    large = split(table, _data(split={"test": 0.4}), ("id",), "m") == TEST
    assert (large | ~small).all()


def test_a_group_stays_together() -> None:
    groups = [f"g{i % 40}" for i in range(400)]
    table = pa.table({"id": np.arange(400).astype(str), "g": groups})
    data = _data(groupColumn="g", split={"strategy": "group"})
    parts = split(table, data, ("id",), "m")
    assert all(
        len({p for g, p in zip(groups, parts, strict=True) if g == name}) == 1 for name in groups
    )


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        pytest.param({}, "id", id="of one identity"),
        pytest.param({"groupColumn": "g", "split": {"strategy": "group"}}, "g", id="of one group"),
    ],
)
def test_rows_that_belong_together_are_in_one_fold(changes: dict[str, Any], column: str) -> None:
    named = {"id": [f"c{i % 90}" for i in range(900)], "g": [f"g{i % 60}" for i in range(900)]}
    found = folds(pa.table(named), _data(**changes), ("id",), "m", 5).tolist()
    assert set(found) == set(range(5))
    assert len(set(zip(named[column], found, strict=True))) == len(set(named[column]))


def test_folds_do_not_follow_the_parts() -> None:
    """Else a fold would hold validation rows only."""
    table = pa.table({"id": np.arange(4000).astype(str)})
    parts = split(table, _data(), ("id",), "m")
    found = folds(table, _data(), ("id",), "m", 4)
    for fold in range(4):
        assert np.mean(parts[found == fold] == TRAIN) == pytest.approx(0.6, abs=0.05)


START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([START + timedelta(hours=i) for i in range(100)], id="timestamps"),
        pytest.param(
            [(START + timedelta(hours=i)).isoformat()[:19] for i in range(100)], id="text"
        ),
        pytest.param(list(range(100)), id="numbers"),
    ],
)
def test_the_newest_rows_are_the_test_rows(times: list[Any]) -> None:
    shuffled = np.random.default_rng(0).permutation(100)
    table = pa.table({"t": [times[i] for i in shuffled]})
    data = _data(timeColumn="t", split={"strategy": "time", "test": 0.2, "validation": 0.1})
    parts = split(table, data, (), "m")
    expected = np.where(shuffled >= 80, TEST, np.where(shuffled >= 70, 1, TRAIN))
    assert parts.tolist() == expected.tolist()


def test_rows_of_one_time_stay_together() -> None:
    table = pa.table({"t": np.repeat(np.arange(10), 7)})
    data = _data(timeColumn="t", split={"strategy": "time", "test": 0.25, "validation": 0.25})
    parts = split(table, data, (), "m").reshape(10, 7)
    assert (parts == parts[:, :1]).all()


@pytest.mark.parametrize(
    ("table", "changes", "said"),
    [
        pytest.param(
            {"id": ["a", "b"]}, {}, r"2 rows are too few to split by hash \(train", id="few"
        ),
        pytest.param(
            {"t": [1, None, 3]},
            {"timeColumn": "t", "split": {"strategy": "time"}},
            r'column "t" \(data.timeColumn\) is missing in 1 rows, the first is row 2',
            id="time missing",
        ),
        pytest.param(
            {"t": ["soon", "later", "now"]},
            {"timeColumn": "t", "split": {"strategy": "time"}},
            "no ISO 8601 times",
            id="no times",
        ),
        pytest.param(
            {"t": [5] * 50},
            {"timeColumn": "t", "split": {"strategy": "time"}},
            r"too few to split by time \(train 0",
            id="one time",
        ),
        pytest.param(
            {"g": ["a", None]},
            {"groupColumn": "g", "split": {"strategy": "group"}},
            "data.groupColumn",
            id="group missing",
        ),
    ],
)
def test_what_cannot_be_split_is_told(table: Any, changes: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        split(pa.table(table), _data(**changes), tuple(table), "m")
