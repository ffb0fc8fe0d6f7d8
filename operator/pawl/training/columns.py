"""What each column of the data is: target, feature, identifier, weight, sensitive.

Datetimes and nested values are no features: a model that sees absolute dates learns the calendar of
its training rows. Named explicitly they are refused; otherwise they are left out with a warning.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pawl.api.data import Data
from pawl.api.evaluation import Evaluation
from pawl.errors import DataError
from pawl.expressions import Kind as Values
from pawl.expressions.program import Program
from pawl.training.workspace import Feature, Kind, Label

_MOST_CLASSES = 1000
_MOST_CATEGORIES = 10_000
_NONE = Evaluation()
_DERIVED: dict[Values, Kind | None] = {
    "number": "numeric", "boolean": "boolean", "text": "categorical", "time": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns by what they are for. `row_columns` identify a row: the id columns, else the
    features (what derived ones are made of in their place) and the target."""

    features: tuple[Feature, ...]
    row_columns: tuple[str, ...]
    row_columns_are_ids: bool
    warnings: tuple[str, ...]


def named_columns(data: Data, evaluation: Evaluation = _NONE) -> dict[str, str]:
    """Every column that the data must have, with the field that names it first."""
    labels = data.labels
    named = {data.target: "data.target"} if labels is None or labels.aggregate is None else {}
    single = {
        "timeColumn": data.time_column,
        "groupColumn": data.group_column,
        "weightColumn": data.weight_column,
    }
    several = {
        "features": _without_derived(data.features, data),
        "ignore": _without_derived(data.ignore, data),
        "idColumns": data.id_columns,
        "sensitive": data.sensitive,
        "labels": labels.annotators if labels is not None else (),
    }
    for field, names in several.items():
        for name in names:
            named.setdefault(name, f"data.{field}")
    for field, column in single.items():
        if column is not None:
            named.setdefault(column, f"data.{field}")
    for i, check in enumerate(data.checks):
        for name in (*check.unique, *([check.column] if check.column else [])):
            named.setdefault(name, f"data.checks[{i}]")
    for i, gate in enumerate(evaluation.gates):
        if gate.column is not None:
            named.setdefault(gate.column, f"evaluation.gates[{i}]")
    return named


def _without_derived(names: tuple[str, ...], data: Data) -> tuple[str, ...]:
    derived = {one.name for one in data.derived}
    return tuple(name for name in names if name not in derived)


def require_columns(table: pa.Table, named: dict[str, str]) -> None:
    """DataError that names the first missing column, where it was asked for, and likely others."""
    present = table.column_names
    for name, field in named.items():
        if name in present:
            continue
        close = difflib.get_close_matches(name, present, n=1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        listed = ", ".join(present[:20]) + (", …" if len(present) > 20 else "")
        raise DataError(
            f'column "{name}" ({field}) is not in the data; {hint}There are: {listed}',
            reason="ColumnNotFound",
        )


def assign_roles(table: pa.Table, data: Data, program: Program) -> Roles:
    """Which columns, and definitions of `program`, are features and of which kind. DataError when
    none is left."""
    apart = {data.target, *data.id_columns, *data.sensitive, *data.ignore}
    apart |= {c for c in (data.time_column, data.group_column, data.weight_column) if c}
    apart |= set(data.labels.annotators if data.labels is not None else ())
    every = (*table.column_names, *program.kinds)
    names = data.features or [name for name in every if name not in apart]
    features: list[Feature] = []
    warnings: list[str] = []
    for name in names:
        if name in apart:
            raise DataError(f'column "{name}" is a feature and something else too; choose one')
        derived = program.kinds.get(name)
        kind = _DERIVED[derived] if derived else _feature_kind(table.column(name).type)
        if kind is not None:
            features.append(Feature(name=name, kind=kind))
            continue
        what = "a date" if derived else _described(table.column(name).type)
        reason = f'column "{name}" is {what}'
        if data.features:
            raise DataError(
                f"{reason}, which a model cannot take; derive a number or a category from it, "
                "or take it out of data.features"
            )
        warnings.append(f"{reason}: left out of the features")
    if not features:
        raise DataError("no column is left as a feature")
    features.sort(key=lambda feature: feature.kind == "categorical")  # stable: numbers first
    ids = tuple(data.id_columns)
    chosen = {feature.name for feature in features}
    read = (chosen - program.kinds.keys()) | program.only(chosen).inputs.keys()
    row_columns = ids or (*sorted(read), data.target)
    return Roles(tuple(features), row_columns, bool(ids), tuple(warnings))


def _feature_kind(kind: Any) -> Kind | None:
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "numeric"
    return "categorical" if pa.types.is_string(kind) else None


def _described(kind: Any) -> str:
    if pa.types.is_timestamp(kind):
        return "a date"
    return "empty" if pa.types.is_null(kind) else f"of type {kind}"


def bound_categories(table: pa.Table, features: Iterable[Feature]) -> None:
    """DataError when a feature has too many categories."""
    for feature in features:
        if feature.kind != "categorical":
            continue
        distinct = pc.count_distinct(table.column(feature.name)).as_py()
        if distinct > _MOST_CATEGORIES:
            raise DataError(
                f'column "{feature.name}" has {distinct:,} different texts, more than '
                f"{_MOST_CATEGORIES:,}: name it in data.ignore or data.idColumns, or group its "
                "values"
            )


def encode_target(column: Any, data: Data) -> tuple[np.ndarray[Any, Any], tuple[Label, ...]]:
    """The target as class indices (int64) with the classes, or as numbers (float64) without.

    For binary, the positive class comes second: `positiveLabel`, else the greater one.
    """
    if data.task == "regression":
        return _numbers(column, data.target), ()
    classes = _classes(column, data)
    values = column.to_pylist()
    index = {value: i for i, value in enumerate(classes)}
    encoded = np.fromiter((index[value] for value in values), dtype=np.int64, count=len(values))
    return encoded, tuple(_plain(value) for value in classes)


def _numbers(column: Any, name: str) -> np.ndarray[Any, Any]:
    if _feature_kind(column.type) != "numeric":
        raise DataError(
            f'column "{name}" (data.target) is {_described(column.type)}; regression needs numbers'
        )
    values = np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(f'column "{name}" (data.target) has infinite values')
    return values


def _classes(column: Any, data: Data) -> list[Any]:
    name = data.target
    if _feature_kind(column.type) is None:
        raise DataError(f'column "{name}" (data.target) is {_described(column.type)}; no classes')
    classes = sorted(pc.unique(column).to_pylist())
    shown = ", ".join(_text(value) for value in classes[:6]) + (", …" if len(classes) > 6 else "")
    if data.task == "binary" and len(classes) != 2:
        raise DataError(
            f'column "{name}" (data.target) has {len(classes)} different values ({shown}); '
            "task binary needs two"
        )
    if not 2 <= len(classes) <= _MOST_CLASSES:
        raise DataError(
            f'column "{name}" (data.target) has {len(classes)} different values ({shown}); '
            f"task multiclass needs 2 to {_MOST_CLASSES}"
        )
    if data.positive_label is not None:
        positive = [value for value in classes if _text(value) == data.positive_label]
        if not positive:
            raise DataError(
                f'data.positiveLabel "{data.positive_label}" does not occur in column "{name}"; '
                f"there are: {shown}"
            )
        classes.remove(positive[0])
        classes.append(positive[0])
    return classes


def _plain(value: Any) -> Label:
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(_plain(value))
