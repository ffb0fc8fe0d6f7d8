"""Quantities mean what Kubernetes says they mean."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pawl.api.quantity import parse


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2", 2), ("500m", Fraction(1, 2)), ("1.5", Fraction(3, 2)), (".5", Fraction(1, 2)),
        ("1.", 1), ("-1", -1), ("1k", 1000), ("1Ki", 1024), ("1e3", 1000),
        ("1E-3", Fraction(1, 1000)), ("1E", 10**18), ("1Ei", 2**60), ("100n", Fraction(1, 10**7)),
        (2, 2), (0.25, Fraction(1, 4)),
    ],
)  # fmt: skip
def test_a_quantity_is_an_exact_amount(text: str | float, amount: Fraction):
    assert parse(text) == amount


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1ki", "1KiB", "1.2.3", "1e", "e3", "٣", "1Q"])
def test_what_is_no_quantity_is_refused(text: str):
    with pytest.raises(ValueError, match="quantities must match"):
        parse(text)


def test_a_hostile_exponent_costs_nothing():
    assert parse("1e999999999999") > 10**100
    assert 0 < parse("1e-999999999999") < Fraction(1, 10**100)
