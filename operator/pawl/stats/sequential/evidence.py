"""Log-wealth: mixing it, dividing it by a design effect, turning it into a verdict, packing it.

A gate keeps one log-wealth per bet (per alternative that it wants to notice). The e-value is their
mixture Σ wⱼ·Wⱼ^(1/D) with prior weights wⱼ that sum to 1 and the design effect D ≥ 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

Verdict = Literal["Pass", "Fail", "Inconclusive"]


class Evidence(Protocol):
    """The largest log e-values that a gate has ever had."""

    @property
    def most_fail(self) -> float: ...
    @property
    def most_pass(self) -> float: ...


def judge(state: Evidence, *, alpha_fail: float, alpha_pass: float) -> Verdict:
    """Fail or Pass once the e-value has ever reached 1/α.

    A Fail stands above a Pass: a version that proved itself and then went bad has failed.
    """
    if state.most_fail >= -math.log(alpha_fail):
        return "Fail"
    return "Pass" if state.most_pass >= -math.log(alpha_pass) else "Inconclusive"


def mixture(weights: Sequence[float], wealth: Sequence[float], design_effect: float) -> float:
    """log Σ wⱼ exp(wealthⱼ / D)."""
    terms = [math.log(w) + v / design_effect for w, v in zip(weights, wealth, strict=True)]
    top = max(terms)
    return top + math.log(math.fsum(math.exp(term - top) for term in terms))


def add(wealth: Sequence[float], bets: Sequence[float]) -> tuple[float, ...]:
    """Log-wealth after one more interval."""
    return tuple(v + bet for v, bet in zip(wealth, bets, strict=True))


def pack(tag: str, numbers: Sequence[float]) -> str:
    """A state as one line: the format's tag and its numbers, nine digits each."""
    return " ".join([tag, *(f"{number:.9g}" for number in numbers)])


def unpack(text: str, tag: str, size: int | None = None) -> list[float]:
    """The numbers of a packed state. ValueError when it is of another format."""
    found, *words = text.split(" ")
    if found != tag or (size is not None and len(words) != size):
        raise ValueError(f"not a state of format {tag}: {text[:40]!r}")
    numbers = [float(word) for word in words]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"a state of format {tag} has finite numbers only")
    return numbers
