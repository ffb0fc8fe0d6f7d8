"""Lists, sets and optionals: Kubernetes' list functions, cel-go's `ext.Lists` and `ext.Sets`, and
the methods of optional values."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pawl.local.schema.cel.functions import declare, overload
from pawl.local.schema.cel.operators import contains, equal
from pawl.local.schema.cel.problems import EvaluationError
from pawl.local.schema.cel.values import NONE, Duration, Optional

_COMPARABLE = ("int", "uint", "double", "bool", "string", "bytes", "duration", "timestamp")

for _kind in _COMPARABLE:
    declare(f"list({_kind}).isSorted() -> bool",
            lambda items: all(a <= b for a, b in pairwise(items)))  # fmt: skip


def _extreme(name: str, choose: Any) -> None:
    def pick(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return choose(items)

    for kind in _COMPARABLE:
        declare(f"list({kind}).{name}() -> {kind}", pick)


_extreme("min", min)
_extreme("max", max)
for _kind in ("int", "uint", "double"):
    declare(f"list({_kind}).sum() -> {_kind}", sum)
declare("list(duration).sum() -> duration",
        lambda items: Duration(sum(item.nanoseconds for item in items)))  # fmt: skip


@overload("list(A).indexOf(A) -> int")
def _index_of(items: list[Any], item: Any) -> int:
    return next((at for at, other in enumerate(items) if equal(other, item)), -1)


@overload("list(A).lastIndexOf(A) -> int")
def _last_index_of(items: list[Any], item: Any) -> int:
    return max((at for at, other in enumerate(items) if equal(other, item)), default=-1)


@overload("list(A).slice(int,int) -> list(A)")
def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(
            f"cannot slice({start}, {end}), start index must be less than or equal to end index"
        )
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


@overload("list(A).flatten() -> list(dyn)", "list(A).flatten(int) -> list(dyn)")
def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        flat += _flatten(item, depth - 1) if isinstance(item, list) and depth > 0 else [item]
    return flat


@overload("list(A).distinct() -> list(A)")
def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not contains(item, found):
            found.append(item)
    return found


for _kind in _COMPARABLE:
    declare(f"list({_kind}).sort() -> list({_kind})", sorted)
declare("list(A).reverse() -> list(A)", lambda items: items[::-1])
declare("lists:range(int) -> list(int)", lambda count: list(range(count)))
declare("list(A).first() -> optional(A)",
        lambda items: Optional(True, items[0]) if items else NONE)  # fmt: skip
declare("list(A).last() -> optional(A)",
        lambda items: Optional(True, items[-1]) if items else NONE)  # fmt: skip


def _within(items: list[Any], others: list[Any]) -> bool:
    return all(contains(item, others) for item in items)


declare("sets:contains(list(A),list(A)) -> bool", lambda items, subset: _within(subset, items))
declare("sets:equivalent(list(A),list(A)) -> bool",
        lambda a, b: _within(a, b) and _within(b, a))  # fmt: skip
declare("sets:intersects(list(A),list(A)) -> bool",
        lambda a, b: any(contains(item, b) for item in a))  # fmt: skip


def _is_zero(value: Any) -> bool:
    return value is None or value in (0, "", b"", [], {}) or value == Duration(0)


declare("optional:of(A) -> optional(A)", lambda value: Optional(True, value))
declare("optional:none() -> optional(A)", lambda: NONE)
declare("optional:ofNonZeroValue(A) -> optional(A)",
        lambda value: NONE if _is_zero(value) else Optional(True, value))  # fmt: skip
declare("optional(A).hasValue() -> bool", lambda optional: optional.present)
declare("optional(A).or(optional(A)) -> optional(A)",
        lambda optional, other: optional if optional.present else other)  # fmt: skip
declare("optional(A).orValue(A) -> A",
        lambda optional, other: optional.value if optional.present else other)  # fmt: skip


@overload("optional(A).value() -> A")
def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value
