"""A tree over columns of numpy arrays.

Numbers and booleans are float64 (booleans 0 and 1, NaN is missing), texts objects ("" is missing),
times datetime64[us] in UTC (NaT is missing). What has a missing argument is missing, and so is a
number that is not finite (x / 0, the log of a negative one), with these exceptions: `isnull`;
`coalesce`; `concat`, which passes over missing texts; `and` and `or`, where one argument can
decide. Each value depends on its own row only, whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.expressions.tree import Call, Column, Constant, Node

Array = NDArray[Any]
#: Characters of a text that `concat` gives: definitions that build on each other cannot explode.
MAX_TEXT = 1024
_DAY = "datetime64[D]"


def evaluate(node: Node, columns: Mapping[str, Array], fitted: Mapping[str, float]) -> Array:
    """One value a row, or a single one where no column is used. To be called where numpy does not
    warn of what is not finite: that is missing."""
    if isinstance(node, Call):
        values = [evaluate(argument, columns, fitted) for argument in node.arguments]
        return np.asarray(OPERATIONS[node.name](*values))
    if isinstance(node, Column):
        return columns[node.name]
    return _single(node.value if isinstance(node, Constant) else fitted[node.key])


@lru_cache(1024)
def _single(value: float | bool | str) -> Array:
    found = np.array(value, dtype=object if isinstance(value, str) else np.float64)
    found.flags.writeable = False
    return found


def missing(values: Array) -> NDArray[np.bool_]:
    """Which values are missing."""
    if values.dtype.kind == "O":
        return np.asarray(values == "")
    return np.asarray(np.isnat(values) if values.dtype.kind == "M" else np.isnan(values))


def _finite(function: Callable[..., Any]) -> Callable[..., Array]:
    def run(*values: Array) -> Array:
        found = np.asarray(function(*values), dtype=np.float64)
        return np.where(np.isfinite(found), found, np.nan)

    return run


def _numbers(known: Any, *arguments: Array) -> Array:
    """`known` as numbers where every argument is there."""
    gone = reduce(np.logical_or, (missing(argument) for argument in arguments))
    return np.where(gone, np.nan, np.asarray(known, dtype=np.float64))


def _compared(function: Callable[[Any, Any], Any]) -> Callable[..., Array]:
    return lambda left, right: _numbers(function(left, right), left, right)


def _minus(left: Array, right: Array) -> Array:
    gap = left - right
    return np.asarray(gap / np.timedelta64(1, "s") if gap.dtype.kind == "m" else gap)


def _if(condition: Array, yes: Array, no: Array) -> Array:
    chosen = np.where(condition == 1, yes, no)
    nothing = {"O": "", "M": np.datetime64("NaT")}.get(chosen.dtype.kind, np.nan)
    return np.where(np.isnan(condition), np.array(nothing, dtype=chosen.dtype), chosen)


def _in(value: Array, *listed: Array) -> Array:
    return _numbers(reduce(np.logical_or, (value == one for one in listed)), value)


_contains = np.frompyfunc(lambda part, whole: part in whole, 2, 1)
_length = np.frompyfunc(len, 1, 1)
_lower = np.frompyfunc(str.lower, 1, 1)
_joined = np.frompyfunc(lambda left, right: (left + right)[:MAX_TEXT], 2, 1)


def _part(function: Callable[[Array], Any]) -> Callable[[Array], Array]:
    return lambda time: _numbers(function(time), time)


def _whole(values: Array) -> Array:
    return np.asarray(values).astype(np.int64)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": _finite(np.add),
    "-": _finite(_minus),
    "*": _finite(np.multiply),
    "/": _finite(np.divide),
    "//": _finite(np.floor_divide),
    "%": _finite(np.mod),
    "**": _finite(np.power),
    "neg": np.negative,
    "<": _compared(np.less),
    "<=": _compared(np.less_equal),
    ">": _compared(np.greater),
    ">=": _compared(np.greater_equal),
    "==": _compared(lambda left, right: left == right),
    "!=": _compared(lambda left, right: left != right),
    "and": lambda *all_: reduce(lambda a, b: np.where((a == 0) | (b == 0), 0.0, a * b), all_),
    "or": lambda *all_: reduce(lambda a, b: np.where((a == 1) | (b == 1), 1.0, a + b), all_),
    "not": lambda value: 1.0 - value,
    "if": _if,
    "in": _in,
    "contains": lambda part, whole: _numbers(_contains(part, whole), part, whole),
    "log": _finite(np.log),
    "log1p": _finite(np.log1p),
    "exp": _finite(np.exp),
    "sqrt": _finite(np.sqrt),
    "abs": np.abs,
    "floor": np.floor,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
    "clip": lambda value, low, high: np.minimum(np.maximum(value, low), high),
    "isnull": lambda value: missing(value).astype(np.float64),
    "coalesce": lambda *values: reduce(lambda a, b: np.where(missing(a), b, a), values),
    "hour": _part(lambda time: _whole((time - time.astype(_DAY)) // np.timedelta64(1, "h"))),
    "weekday": _part(lambda time: (_whole(time.astype(_DAY)) + 3) % 7),  # Monday is 0
    "day": _part(lambda time: _whole(time.astype(_DAY) - time.astype("datetime64[M]")) + 1),
    "month": _part(lambda time: _whole(time.astype("datetime64[M]")) % 12 + 1),
    "year": _part(lambda time: _whole(time.astype("datetime64[Y]")) + 1970),
    "lower": _lower,
    "len": lambda value: _numbers(_length(value), value),
    "concat": lambda *values: reduce(_joined, values),
}
