"""CEL values that Python has no type for. Others are bool, int, float, str, bytes, None, list and
dict; timestamps are aware datetimes; types are `types.Type`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pawl.api import quantity
from pawl.local.schema.cel.problems import EvaluationError


class Uint(int):
    """An unsigned 64-bit integer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Optional:
    """`optional.of(value)`, or `optional.none()` when `present` is False."""

    present: bool
    value: Any = None


NONE = Optional(False)


class SetList(list[Any]):
    """A list of scalars in which order does not count (x-kubernetes-list-type: set)."""


class MapList(list[Any]):
    """A list of objects known by `keys` (x-kubernetes-list-type: map)."""

    def __init__(self, items: Iterable[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def key_of(self, item: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(item.get(key) for key in self.keys)


_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9,
          "m": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> Duration:
    """Go's time.ParseDuration. EvaluationError when it is none."""
    body = text.lstrip("+-") if text[:1] in ("+", "-") else text
    sign = -1 if text.startswith("-") else 1
    if body == "0":
        return Duration(0)
    parts = _DURATION_PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise EvaluationError(f'time: invalid duration "{text}"')
    total = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in parts)
    return Duration(sign * total)


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A Kubernetes quantity, exactly."""

    amount: Fraction


def parse_quantity(text: str) -> Quantity:
    """EvaluationError when it is none."""
    try:
        return Quantity(quantity.parse(text))
    except ValueError as error:
        raise EvaluationError(str(error)) from None
