"""Texts are counted as a dictionary would, however many, long or odd they are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.serving.monitor import texts as t
from pawl.serving.monitor.texts import Lookup, Tally

KNOWN = ["", "a", "b", "eight by", "eight byt", "x" * 40, "ä" * 9, "nul\0in it", "nul"]
NEAR = ["c", "ab", "eight b", "eight bz", "x" * 39, "x" * 41, "ä" * 8, "nul\0", "\0", "x" * 5000]
WIDTH = 2 * (len(KNOWN) + 1)


def places(column: int) -> dict[str, int]:
    """Columns name their cells in opposite order."""
    start = column * (WIDTH // 2)
    names = KNOWN if column == 0 else KNOWN[::-1]
    return {name: start + place for place, name in enumerate(names)}


COLUMNS = [places(0), places(1)]
OTHERS = [WIDTH // 2 - 1, WIDTH - 1]
text = st.one_of(st.sampled_from(KNOWN + NEAR), st.text(max_size=20))


def straight(rows: list[tuple[str, str]]) -> list[int]:
    counts = Counter(
        column.get(name, other)
        for row in rows
        for name, column, other in zip(row, COLUMNS, OTHERS, strict=True)
    )
    return [counts[cell] for cell in range(WIDTH)]


@given(batches=st.lists(st.lists(st.tuples(text, text), max_size=12), max_size=4))
def test_counts_are_those_of_a_dictionary(batches: list[list[tuple[str, str]]]) -> None:
    tally = Tally(Lookup(COLUMNS, OTHERS), WIDTH)
    for batch in batches:
        tally.put([name for row in batch for name in row])
    assert tally.take().tolist() == straight([row for batch in batches for row in batch])


def test_what_was_taken_or_cleared_is_not_counted_again() -> None:
    tally = Tally(Lookup(COLUMNS, OTHERS), WIDTH)
    tally.put(["a", "b"])
    assert tally.take().sum() == 2
    tally.put(["a", "b"])
    tally.clear()
    assert not tally.take().any()


@pytest.mark.parametrize(
    "most", [pytest.param(1, id="a row at a time"), pytest.param(7, id="three rows at a time")]
)
def test_a_batch_of_any_size_is_counted_in_parts(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(t, "_AT_ONCE", most)
    tally = Tally(Lookup(COLUMNS, OTHERS), WIDTH)
    rows = [("a", "b"), ("", "c"), ("x" * 40, "a"), ("nul", "nul\0in it"), ("ab", "")]
    tally.put([name for row in rows for name in row])
    assert tally.take().tolist() == straight(rows)


def test_every_one_of_many_categories_has_its_cell() -> None:
    columns = [
        {f"category {place}": column * 300 + place for place in range(300)} for column in range(20)
    ]
    tally = Tally(Lookup(columns, [6000] * 20), 6001)
    for place in range(300):
        tally.put([f"category {place}"] * 20)
    assert tally.take().tolist() == [1] * 6000 + [0]
