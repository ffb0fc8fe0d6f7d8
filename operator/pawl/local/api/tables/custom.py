"""Columns of custom resources: the CRD's additionalPrinterColumns
(apiextensions-apiserver pkg/registry/customresource/tableconvertor)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pawl.local.api.tables import jsonpath
from pawl.local.api.tables.cells import NAME_DESCRIPTION
from pawl.local.api.tables.durations import UNKNOWN, since
from pawl.local.schema import golang

Obj = dict[str, Any]
_AGE: Obj = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def custom_columns(declared: list[Obj] | None) -> list[Obj]:
    """Name, and what the CRD declares (Age if it declares nothing)."""
    found = [
        {
            "name": "Name",
            "type": "string",
            "format": "name",
            "description": NAME_DESCRIPTION,
            "priority": 0,
        }
    ]
    for column in declared or [_AGE]:
        text = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
        optional = {"format": "", "description": text, "priority": 0}
        shown = {field: column.get(field, empty) for field, empty in optional.items()}
        found.append({"name": column["name"], "type": column["type"], **shown})
    return found


def custom_row(declared: list[Obj] | None) -> Callable[[Obj, datetime], list[Any]]:
    columns = [(column["jsonPath"], column["type"]) for column in declared or [_AGE]]

    def row(obj: Obj, now: datetime) -> list[Any]:
        cells: list[Any] = [obj["metadata"]["name"]]
        for path, kind in columns:
            try:
                values = jsonpath.find(path, obj)
            except jsonpath.PathError:
                values = []
            cells.append(_cell(kind, values[0], now) if values else None)
        return cells

    return row


def _cell(kind: str, value: Any, now: datetime) -> Any:
    """A value as its column's type; None where it does not fit."""
    if kind == "date":
        return _age(value, now)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind in ("integer", "number"):
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        return int(value) if kind == "integer" else value
    return golang.to_json(value) if isinstance(value, dict | list) else golang.plain(value)


def _age(value: Any, now: datetime) -> str:
    try:
        return since(value, now) if isinstance(value, str) else UNKNOWN
    except ValueError:
        return "<invalid>"
