"""A first `data:` of a TrainingJob, inferred from a good sample: roles and checks that the sample
passes, with room for others like it. The same sample gives the same profile.

    minRows      half the rows
    unique       columns whose values all differ: texts, and whole numbers; they are the idColumns
    type         of every other column
    min, max     10 % of the range beyond what was seen; never across 0, whole for whole numbers
    maxMissing   the share s seen + 3·√(s(1 − s)/n) + 0.01
    allowed      of texts with at most 20 different values, each seen 20 times on average

Empty and constant columns are ignored.
"""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pawl.training.tables import missing_mask

_MOST_CATEGORIES = 20
_ROWS_PER_CATEGORY = 20
_LEAST_UNIQUE = 20
_LONGEST = 128
_MOST_CHECKS = 64


def profile(table: pa.Table, target: str | None = None) -> dict[str, Any]:
    """Fields of `data` in JSON, without its uri: roles of the columns of `table`, and checks."""
    ids = [name for name in table.column_names if name != target and _is_id(table.column(name))]
    rest = [name for name in table.column_names if name not in ids]
    dull = [name for name in rest if name != target and _distinct(table.column(name)) < 2]
    times = [name for name in rest if pa.types.is_timestamp(table.column(name).type)]
    checks: list[dict[str, Any]] = [{"minRows": max(1, table.num_rows // 2)}]
    checks += [{"unique": [name]} for name in ids]
    checks += [_check(table.column(name), name) for name in rest if name not in dull]
    found: dict[str, Any] = {}
    if target is not None:
        found |= {"task": _task(table.column(target)), "target": target}
    found |= {"idColumns": ids} if ids else {}
    found |= {"timeColumn": times[0]} if len(times) == 1 and times[0] not in dull else {}
    found |= {"ignore": dull} if dull else {}
    return {**found, "checks": checks[:_MOST_CHECKS]}


def _task(column: Any) -> str:
    """What a target of this kind is: numbers of more than 20 values are for regression."""
    distinct = _distinct(column)
    if distinct == 2:
        return "binary"
    return "regression" if _is_number(column) and distinct > _MOST_CATEGORIES else "multiclass"


def _is_id(column: Any) -> bool:
    """Whether all values are there and differ, as texts or whole numbers do by intent only."""
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        return False
    whole = len(column) >= _LEAST_UNIQUE and not missing_mask(column).any()
    return whole and _distinct(column) == len(column)


def _distinct(column: Any) -> int:
    """Different values; of nested ones, which are not compared, all."""
    if pa.types.is_nested(column.type):
        return len(column)
    return len(pc.unique(column.filter(pa.array(~missing_mask(column)))))


def _is_number(column: Any) -> bool:
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def _check(column: Any, name: str) -> dict[str, Any]:
    missing = missing_mask(column)
    check: dict[str, Any] = {
        "column": name,
        "maxMissing": _most_missing(missing.mean(), len(column)),
    }
    present = column.filter(pa.array(~missing))
    if _is_number(column):
        return {**check, "type": "number", **_bounds(present)}
    if pa.types.is_boolean(column.type):
        return {**check, "type": "boolean"}
    if pa.types.is_timestamp(column.type):
        return {**check, "type": "datetime"}
    if not pa.types.is_string(column.type):
        return check
    allowed = sorted(pc.unique(present).to_pylist())
    few = len(allowed) <= min(_MOST_CATEGORIES, len(present) // _ROWS_PER_CATEGORY)
    listed = few and all(len(value) <= _LONGEST for value in allowed)
    return {**check, "type": "string", **({"allowed": allowed} if listed else {})}


def _most_missing(share: float, rows: int) -> float:
    spread = 3 * math.sqrt(share * (1 - share) / rows)
    return min(1.0, math.ceil(100 * (share + spread) + 1) / 100)


def _bounds(present: Any) -> dict[str, float | int]:
    """Nothing where a value is not finite."""
    ends = pc.min_max(present).as_py()
    low, high = float(ends["min"]), float(ends["max"])
    room = (high - low) / 10
    if not math.isfinite(room):
        return {}
    least, most = low - room, high + room
    least = max(least, 0.0) if low >= 0 else least
    most = min(most, 0.0) if high <= 0 else most
    if pa.types.is_integer(present.type):
        return {"min": math.floor(least), "max": math.ceil(most)}
    return {"min": min(low, float(f"{least:.3g}")), "max": max(high, float(f"{most:.3g}"))}
