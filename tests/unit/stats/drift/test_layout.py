"""Cells of features side by side."""

from __future__ import annotations

import numpy as np
import pytest

from pawl.stats.drift.layout import Feature, Layout, Ragged

AGE = Feature("age", "numeric", [5, 6, 7, 2, 0], [1, 4, 6, 7], [0.5, 2.0, 3.0, 4.0])
CITY = Feature("city", "category", [9, 8, 1, 3])


def test_cells_have_their_places() -> None:
    layout = Layout.of([AGE, CITY])
    assert layout.bin_cells.tolist() == [0, 1, 2, 5, 6, 7]
    assert layout.missing.tolist() == [3, 8]
    assert layout.extra.tolist() == [4, 7]  # out of range, other
    assert layout.reference.tolist() == [5, 6, 7, 2, 0, 9, 8, 1, 3]
    assert np.flatnonzero(~layout.present).tolist() == [3, 8]
    assert layout.fine_sums.tolist() == [0.5, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([CITY, AGE], id="another order"),
        pytest.param([AGE], id="fewer features"),
        pytest.param([AGE, Feature("town", "category", [9, 8, 1, 3])], id="another name"),
        pytest.param([AGE, Feature("city", "category", [9, 8, 1, 0, 3])], id="another category"),
    ],
)
def test_the_digest_tells_layouts_apart(other: list[Feature]) -> None:
    digest = Layout.of([AGE, CITY]).digest
    assert len(digest) == 12
    assert Layout.of(other).digest != digest


def test_the_digest_does_not_depend_on_counts() -> None:
    again = Feature("city", "category", [1, 1, 1, 1])
    assert Layout.of([AGE, again]).digest == Layout.of([AGE, CITY]).digest


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Feature("a", "numeric", [1, 0]), id="no bin"),
        pytest.param(Feature("a", "numeric", [1, 0, 0], [1, 2], [1.0]), id="a sum is missing"),
    ],
)
def test_features_that_cannot_be(wrong: Feature) -> None:
    with pytest.raises(ValueError, match="'a'"):
        Layout.of([wrong])


def test_rows_of_different_length() -> None:
    rows = Ragged.sized([2, 0, 3])
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert rows.sum(values).tolist() == [3, 0, 12]
    assert rows.running(values).tolist() == [1, 3, 3, 7, 12]
    assert rows.spread(np.array([7.0, 8.0, 9.0])).tolist() == [7, 7, 9, 9, 9]
