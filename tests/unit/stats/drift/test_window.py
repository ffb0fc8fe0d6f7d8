"""Sums over blocks: they merge, and survive as bytes."""

from __future__ import annotations

import zlib
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import Window, counted, empty, load

LAYOUT = Layout.of(
    [
        Feature("age", "numeric", [5, 6, 7, 2, 0], [1, 4, 6, 7], [0.5, 2.0, 3.0, 4.0]),
        Feature("city", "category", [9, 8, 1, 3]),
    ]
)
BLOCKS = np.array([[1, 2, 0, 4, 1, 3, 0, 1, 3], [0] * 9, [2, 2, 2, 0, 0, 0, 0, 6, 0]], np.uint32)

counts = arrays(np.uint32, st.tuples(st.integers(0, 8), st.just(9)), elements=st.integers(0, 2**20))


def _same(a: Window, b: Window) -> None:
    for field in fields(Window):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def test_what_is_summed() -> None:
    window = counted(LAYOUT, BLOCKS)
    assert window.counts.tolist() == [3, 4, 2, 4, 1, 3, 0, 7, 3]
    assert window.squares.tolist() == [5, 8, 4, 16, 1, 9, 0, 37, 9]
    # values present per block: age 3 and 6, city 4 and 6; rows: 7 and 6, 7 and 6
    assert window.whole.tolist() == [[9, 10], [13, 13]]
    assert window.whole2.tolist() == [[45, 52], [85, 85]]
    assert window.cross.tolist() == [15, 18, 12, 28, 3, 12, 0, 40, 21]
    # of age's bins (1, 3, 3) and (2, 4, 6), of city's (3, 3, 4) and (0, 0, 6)
    assert window.running.tolist() == [5, 25, 45, 9, 9, 52]
    assert window.blocks == 2  # one had no rows
    assert window.rows == 13


@given(counts, st.data())
@settings(max_examples=50)
def test_windows_merge_in_any_way(cells: np.ndarray, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(cells)))
    whole = counted(LAYOUT, cells)
    _same(counted(LAYOUT, cells[:at]).merged(counted(LAYOUT, cells[at:])), whole)
    _same(counted(LAYOUT, cells[at:]).merged(counted(LAYOUT, cells[:at])), whole)
    _same(empty(LAYOUT).merged(whole), whole)


@given(counts, st.booleans())
@settings(max_examples=50)
def test_a_window_survives_as_bytes(cells: np.ndarray, fine: bool) -> None:
    more = {"fine": np.arange(4, dtype=np.uint32), "fine_sums": np.array([0.1, -2, np.inf, 1e300])}
    window = counted(LAYOUT, cells, **(more if fine else {}))
    _same(load(LAYOUT, window.dump(LAYOUT)), window)


def test_fine_bins_only_if_both_have_them() -> None:
    fine = counted(LAYOUT, BLOCKS, fine=np.ones(4, np.uint32), fine_sums=np.full(4, 0.5))
    both = fine.merged(fine)
    assert both.fine is not None
    assert both.fine_sums is not None
    assert (both.fine.tolist(), both.fine_sums.tolist()) == ([2] * 4, [1] * 4)
    assert fine.merged(counted(LAYOUT, BLOCKS)).fine is None


def test_an_hour_is_small() -> None:
    layout = Layout.of(Feature(f"f{i}", "numeric", [1000] * 10 + [0, 0]) for i in range(60))
    cells = np.random.default_rng(1).multinomial(20, np.full(10, 0.1), (60, 60))
    cells = np.concatenate([cells, np.zeros((60, 60, 2), int)], axis=2).reshape(60, -1)
    assert len(counted(layout, cells.astype(np.uint32)).dump(layout)) < 5000


def _packed(body: bytes) -> bytes:
    return counted(LAYOUT, BLOCKS).dump(LAYOUT)[:21] + zlib.compress(body)


GOOD = counted(LAYOUT, BLOCKS).dump(LAYOUT)
SIZE = 8 * (3 * 9 + 6 + 2 * 4)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:-3], id="cut off"),
        pytest.param(GOOD + b"x", id="something behind"),
        pytest.param(b"pwd9" + GOOD[4:], id="another format"),
        pytest.param(GOOD[:21] + b"garbage", id="not compressed"),
        pytest.param(_packed(bytes(SIZE - 8)), id="too short"),
        pytest.param(_packed(bytes(1 << 24)), id="a bomb"),
        pytest.param(_packed(b"\xff" * SIZE), id="not numbers"),
        pytest.param(
            _packed(np.full(SIZE // 8, -1.0).view(np.uint8).reshape(-1, 8).T.tobytes()),
            id="counts below 0",
        ),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="window"):
        load(LAYOUT, data)


def test_a_window_of_another_layout_is_refused() -> None:
    other = Layout.of([Feature("age", "numeric", [5, 6, 7, 2, 0])])
    with pytest.raises(ValueError, match="layout"):
        load(other, GOOD)


@pytest.mark.parametrize(
    ("cells", "more"),
    [
        pytest.param(BLOCKS[:, :8], {}, id="a cell is missing"),
        pytest.param(BLOCKS, {"fine": np.ones(3, np.uint32)}, id="a fine bin is missing"),
    ],
)
def test_counts_of_another_shape_are_refused(
    cells: np.ndarray, more: dict[str, np.ndarray]
) -> None:
    with pytest.raises(ValueError, match="layout has"):
        counted(LAYOUT, cells, **more)
