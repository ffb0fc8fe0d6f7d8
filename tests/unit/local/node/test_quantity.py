from fractions import Fraction

import pytest

from pawl.local.node.quantity import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("500m", Fraction(1, 2)),
        ("1.5Gi", 3 * 2**29),
        ("2k", 2000),
        ("3e2", 300),
        ("1E", 10**18),
        (".5", Fraction(1, 2)),
        ("100Ki", 102400),
    ],
)
def test_quantities(text: str, expected: Fraction) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1ki", "1mi", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse(text)
