"""Kubernetes quantities (`500m`, `1.5Gi`, `2e3`) as exact fractions."""

import math
import re
from fractions import Fraction

_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)},
}
_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]i?|Ki)?)$")


def parse(text: str | int | float) -> Fraction:
    """The value of a quantity. Raises ValueError."""
    match = _QUANTITY.match(str(text))
    if match is None or (match[3] or "") not in _SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity")
    exponent = Fraction(10) ** int(match[2][1:]) if match[2] else Fraction(1)
    return Fraction(match[1]) * exponent * _SUFFIXES[match[3] or ""]


def rounded_up(value: Fraction) -> int:
    return math.ceil(value)
