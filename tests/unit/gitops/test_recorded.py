"""The recorded objects are what the planners leave."""

from __future__ import annotations

import pytest
from recorded import CASES, GOLDEN, golden, planned


@pytest.mark.parametrize("case", CASES)
def test_planners_leave_what_was_recorded(case: str):
    assert golden(case) == planned(case)


def test_nothing_else_is_recorded():
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)
