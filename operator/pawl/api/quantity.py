"""Resource quantities as Kubernetes writes them: 500m, 2, 1e3, 4Gi (apimachinery resource)."""

from __future__ import annotations

import re
from fractions import Fraction

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_SCALE = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}  # fmt: skip

_LONGEST_EXPONENT = 1000  # beyond it only that it is very large or very small counts

WORDS = (
    r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


def parse(text: str | float) -> Fraction:
    """The exact amount. ValueError when it is no quantity."""
    found = _FORM.fullmatch(str(text))
    if found is None:
        raise ValueError(WORDS)
    number, suffix = Fraction(found[1]), found[2] or ""
    if re.fullmatch("[eE][+-]?[0-9]+", suffix):
        power = max(-_LONGEST_EXPONENT, min(int(suffix[1:]), _LONGEST_EXPONENT))
        return number * Fraction(10) ** power
    return number * _SCALE.get(suffix, Fraction(1))
