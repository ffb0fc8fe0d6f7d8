"""meta.k8s.io Tables: columns, rows, and what of the object comes along."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pawl.local.api.kinds.custom import CustomKind
from pawl.local.api.resources import Resource
from pawl.local.api.store import Item
from pawl.local.api.tables import columns as builtin
from pawl.local.api.tables.custom import custom_columns, custom_row

Obj = dict[str, Any]
Row = Callable[[Obj, datetime], list[Any]]


@dataclass(frozen=True)
class Printer:
    """Prints objects of one resource. `columns` is None where the reader has them already."""

    columns: list[Obj] | None
    row: Row
    conditions: Callable[[Obj], list[Obj]]
    shape: Callable[[Obj], Obj]
    include: str
    version: str

    def document(self, items: Iterable[Item], meta: Obj, now: datetime) -> Obj:
        rows = []
        for item in items:
            row: Obj = {"cells": self.row(item.obj, now)}
            conditions = self.conditions(item.obj)
            if conditions:
                row["conditions"] = conditions
            shown = self._object(item.obj)
            if shown is not None:
                row["object"] = shown
            rows.append(row)
        return self._table(meta, rows)

    def bookmark(self, metadata: Obj) -> Obj:
        """A bookmark is a table without rows; its revision is in the metadata of a row's object."""
        obj = {
            "kind": "PartialObjectMetadata",
            "apiVersion": f"meta.k8s.io/{self.version}",
            "metadata": metadata,
        }
        meta = {"resourceVersion": metadata["resourceVersion"]}
        return self._table(meta, [{"cells": [], "object": obj}])

    def without_columns(self) -> Printer:
        return replace(self, columns=None)

    def _table(self, meta: Obj, rows: list[Obj]) -> Obj:
        return {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{self.version}",
            "metadata": meta,
            "columnDefinitions": self.columns,
            "rows": rows,
        }

    def _object(self, obj: Obj) -> Obj | None:
        if self.include == "None":
            return None
        if self.include == "Object":
            return self.shape(obj)
        return {
            "kind": "PartialObjectMetadata",
            "apiVersion": f"meta.k8s.io/{self.version}",
            "metadata": obj["metadata"],
        }


def _no_conditions(_: Obj) -> list[Obj]:
    return []


def printer_for(resource: Resource, *, include: str, version: str) -> Printer:
    def shape(obj: Obj) -> Obj:
        if resource.view is not None:
            return resource.view.outward(obj)
        return {**obj, "apiVersion": resource.api_version}

    if isinstance(resource.behaviour, CustomKind):
        declared = resource.behaviour.columns
        row = custom_row(declared)
        return Printer(custom_columns(declared), row, _no_conditions, shape, include, version)
    printed = builtin.PRINTED.get(resource.table, builtin.DEFAULT)
    return Printer(printed.columns, printed.row, printed.conditions, shape, include, version)
