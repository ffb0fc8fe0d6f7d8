"""The newest labelled rows judge a retrain; none of them is older than what is learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.data import Data
from pawl.api.trainingjob import Cause
from pawl.artifacts.records import Window
from pawl.errors import DataError
from pawl.training.split import OLD, TEST, TRAIN, VALIDATION, split
from pawl.training.times import written
from pawl.training.window import Labelled, cut_again, labelled

HOUR = 3_600_000_000
NOW = 1000 * HOUR


def cause(**changes: Any) -> Cause:
    given = {"deployment": "d", "reason": "Drifted", "minLabelled": 10, **changes}
    return Cause.model_validate(given)


def at(hours: Any, **changes: Any) -> Labelled:
    """Rows of these hours, looked at in hour 1000."""
    return labelled(np.asarray(hours, dtype=np.int64) * HOUR, cause(**changes), NOW)


def test_a_label_counts_when_the_row_is_as_old_as_the_delay() -> None:
    found = at([900, 975, 976, 977, 1001], labelDelay="1d")
    assert found.mature.tolist() == [True, True, True, False, False]
    assert at([999, 1000, 1001]).mature.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("newest", "newer"),
    [
        pytest.param(None, 100, id="not known: all are new"),
        pytest.param(written(949 * HOUR), 50, id="after the served version's newest row"),
        pytest.param(written(2000 * HOUR), 0, id="none"),
    ],
)
def test_rows_are_new_when_the_served_version_had_none_so_late(
    newest: str | None, newer: int
) -> None:
    found = at(range(900, 1000), **({"dataNewest": newest} if newest else {}))
    assert found.newer == newer


def test_too_few_new_labels_are_told() -> None:
    since = "1970-02-10T01:00:00Z"
    found = at(range(900, 1000), dataNewest=since, labelDelay="1d", minLabelled=1000)
    assert found.too_few() == (
        f"{found.newer} labelled rows are newer than {since} and older than labelDelay (1d), "
        "minLabelled is 1,000"
    )
    assert at(range(900, 1000), minLabelled=100).too_few() == ""


def test_the_window_is_the_newest_share_and_the_embargo_the_delay_before_it() -> None:
    found = at(range(900, 1000), labelDelay="5h").newest(0.2)
    rows = np.arange(900, 1000)
    assert found.window == Window(
        embargo=written(972 * HOUR), start=written(977 * HOUR), end=written(995 * HOUR)
    )
    assert rows[found.count].tolist() == [*range(900, 972), *range(977, 996)]
    assert rows[found.count][found.test].tolist() == list(range(977, 996))
    assert found.told == (
        "4 rows are younger than labelDelay (5h), and 5 are within it before the newest window: "
        "left out",
    )


def test_half_of_the_new_rows_are_left_to_learn_from() -> None:
    found = at(range(900, 1000), dataNewest=written(979 * HOUR)).newest(0.5)
    assert found.test.sum() == 10
    assert found.told == ()


def test_without_older_rows_there_is_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="none is older than labelDelay"):
        at(range(990, 1000), labelDelay="4h").newest(0.5)


HOURS = st.lists(st.integers(0, 1100), min_size=2, max_size=120)


@settings(max_examples=60)
@given(
    hours=HOURS,
    delay=st.integers(0, 200),
    since=st.none() | st.integers(0, 1000),
    test=st.floats(0.05, 0.8),
)
def test_what_judges_is_newer_than_what_is_learnt_by_the_delay(
    hours: list[int], delay: int, since: int | None, test: float
) -> None:
    given: dict[str, Any] = {"labelDelay": f"{delay}h"}
    if since is not None:
        given["dataNewest"] = written(since * HOUR)
    found = at(hours, **given)
    if not found.newer:
        return
    try:
        newest = found.newest(test)
    except DataError:
        return
    rows = np.asarray(hours)
    judging, older = rows[newest.count][newest.test], rows[newest.count][~newest.test]
    assert len(judging)
    assert judging.min() - older.max() > delay  # strictly: none is within the embargo
    assert judging.max() <= 1000 - delay
    # every row of the window's time and later that has matured judges, whatever its place
    mature = rows[rows <= 1000 - delay]
    assert sorted(judging) == sorted(mature[mature >= judging.min()])
    again = at(hours, **given).newest(test)
    assert (again.count.tolist(), again.window) == (newest.count.tolist(), newest.window)
    later = cut_again(rows * HOUR, newest.window)
    assert (later.count.tolist(), later.test.tolist()) == (
        newest.count.tolist(),
        newest.test.tolist(),
    )


@settings(max_examples=20)
@given(
    hours=st.lists(st.integers(0, 1000), min_size=150, max_size=300, unique=True),
    strategy=st.booleans(),
)
def test_rows_are_in_one_part_and_older_ones_where_they_always_were(
    hours: list[int], strategy: bool
) -> None:
    """The old window are the rows that any run of the model holds out."""
    ids = [f"p{i}" for i in range(len(hours))]
    table = pa.table({"id": ids, "t": hours})
    rule = "time" if strategy else "hash"
    data = Data.model_validate(
        {
            "uri": "file:///d.csv",
            "task": "binary",
            "target": "y",
            "timeColumn": "t",
            "split": {"strategy": rule},
        }
    )
    newest = at(hours).newest(0.2)
    parts = split(table, data, ("id",), "churn", newest.test)
    usual = split(table, data.model_copy(update={"split": type(data.split)()}), ("id",), "churn")
    assert ((parts == TEST) == newest.test).all()
    older = ~newest.test
    assert ((parts == OLD) == (older & (usual == TEST))).all()
    for part in (TRAIN, VALIDATION):
        assert ((parts == part) == (older & (usual == part))).all()


def test_groups_stay_together_among_older_rows() -> None:
    hours = np.repeat(np.arange(100), 10)
    groups = [f"g{i % 50}" for i in range(1000)]
    data = Data.model_validate(
        {
            "uri": "file:///d.csv",
            "task": "binary",
            "target": "y",
            "timeColumn": "t",
            "groupColumn": "g",
            "split": {"strategy": "group"},
        }
    )
    newest = at(hours).newest(0.2)
    parts = split(pa.table({"g": groups, "t": hours}), data, (), "m", newest.test)
    older = [
        {p for g, p in zip(groups, parts, strict=True) if g == name} - {TEST} for name in groups
    ]
    assert all(len(found) == 1 for found in older)


def test_no_part_but_the_old_window_may_be_empty() -> None:
    table = pa.table({"id": ["a", "b", "c"], "t": [1, 2, 3]})
    data = Data.model_validate(
        {"uri": "file:///d.csv", "task": "binary", "target": "y", "timeColumn": "t"}
    )
    newest = at([1, 2, 3]).newest(0.5)
    with pytest.raises(DataError, match=r"3 rows are too few to split by time and hash \(train"):
        split(table, data, ("id",), "m", newest.test)
