"""Several claims at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.stats.holm import holm


@pytest.mark.parametrize(
    ("p", "proved"),
    [
        pytest.param([0.04], (0,), id="one claim has the whole error"),
        pytest.param([0.04, 0.04], (), id="two have half of it each"),
        pytest.param([0.04, 0.01], (1, 0), id="what is proved leaves the error to the rest"),
        pytest.param([0.03, 0.01, 0.03], (1,), id="and it ends with the first that is not"),
        pytest.param([], (), id="none"),
    ],
)
def test_it_goes_down_from_the_surest(p: list[float], proved: tuple[int, ...]) -> None:
    assert holm(p) == proved


@given(st.lists(st.floats(0, 1), max_size=20))
def test_it_lies_between_bonferroni_and_no_correction(p: list[float]) -> None:
    found = set(holm(p))
    assert {i for i, x in enumerate(p) if x <= 0.05 / len(p)} <= found
    assert found <= {i for i, x in enumerate(p) if x <= 0.05}
