"""Objects, lists and events as bytes, in the form that was negotiated.

The JSON of an object is made once (`Item.tail`) and shared by every reader; only the kind and the
version in front of it depend on the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import yaml
from aiohttp import web

from pawl.local.api.http.negotiation import Form
from pawl.local.api.resources import Resource
from pawl.local.api.store import Change, Item
from pawl.local.api.tables.table import Printer, printer_for

Obj = dict[str, Any]
_META = "meta.k8s.io"


def head(api_version: str, kind: str) -> bytes:
    """The beginning of a JSON object, up to and with the comma."""
    return orjson.dumps({"kind": kind, "apiVersion": api_version})[:-1] + b","


def body_of(resource: Resource, item: Item) -> bytes:
    if resource.view is not None:
        return orjson.dumps(resource.view.outward(item.obj))
    return head(resource.api_version, resource.kind) + item.tail[1:]


def partial(item: Item, version: str) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"{_META}/{version}",
        "metadata": item.obj["metadata"],
    }


def one(resource: Resource, item: Item, form: Form) -> bytes:
    """One object."""
    if form.kind == "Table":
        table = _table(resource, form)
        version = item.obj["metadata"].get("resourceVersion")
        meta = {"resourceVersion": version} if version else {}
        return orjson.dumps(table.document([item], meta, datetime.now(UTC)))
    if form.kind:
        return orjson.dumps(partial(item, form.version))
    return body_of(resource, item)


def many(resource: Resource, items: Iterable[Item], meta: Obj, form: Form) -> bytes:
    """A list. `meta`: its resourceVersion, and what is left of it."""
    if form.kind == "Table":
        return orjson.dumps(_table(resource, form).document(items, meta, datetime.now(UTC)))
    if form.kind:
        kind, version = "PartialObjectMetadataList", f"{_META}/{form.version}"
        parts = [orjson.dumps(partial(item, form.version)) for item in items]
    else:
        kind, version = resource.list_name, resource.api_version
        parts = _listed(resource, items)
    start = head(version, kind) + b'"metadata":' + orjson.dumps(meta)
    return start + b',"items":[' + b",".join(parts) + b"]}"


def _listed(resource: Resource, items: Iterable[Item]) -> list[bytes]:
    """Items of built-in lists carry no kind of their own, custom resources do."""
    if resource.storage_version:
        front = head(resource.api_version, resource.kind)
        return [front + item.tail[1:] for item in items]
    if resource.view is None:
        return [item.tail for item in items]
    shown = (resource.view.outward(item.obj) for item in items)
    return [
        orjson.dumps({k: v for k, v in obj.items() if k not in ("kind", "apiVersion")})
        for obj in shown
    ]


def _table(resource: Resource, form: Form) -> Printer:
    return printer_for(resource, include=form.include, version=form.version)


class EventEncoder:
    """Watch events of one watch, one per line. Forms without a table are shared between watches
    (`Change.cache`); the columns of a table are sent once."""

    def __init__(self, resource: Resource, form: Form) -> None:
        self._resource = resource
        self._form = form
        self._table = _table(resource, form) if form.kind == "Table" else None
        self._shared = (resource.api_version, form.kind, form.version)

    def line(self, change: Change) -> bytes:
        if self._table is not None:
            return self.plain(change.type, self._row(change.item))
        cached = change.cache.get(self._shared)
        if cached is None:
            shown = one(self._resource, change.item, self._form)
            cached = b'{"type":"' + change.type.encode() + b'","object":' + shown + b"}\n"
            change.cache[self._shared] = cached
        return cached

    def plain(self, kind: str, obj: Obj) -> bytes:
        return orjson.dumps({"type": kind, "object": obj}) + b"\n"

    def bookmark(self, revision: int, *, initial: bool = False) -> bytes:
        metadata: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj: Obj = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": metadata,
        }
        if self._table is not None:
            obj = self._table.bookmark(metadata)
        elif self._form.kind:
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": f"{_META}/{self._form.version}"}
        return self.plain("BOOKMARK", obj)

    def _row(self, item: Item) -> Obj:
        assert self._table is not None  # noqa: S101 - only called for tables
        version = item.obj["metadata"].get("resourceVersion")
        meta = {"resourceVersion": version} if version else {}
        document = self._table.document([item], meta, datetime.now(UTC))
        self._table = self._table.without_columns()
        return document


def response(
    body: bytes, form: Form | None = None, *, code: int = 200, warnings: Iterable[str] = ()
) -> web.Response:
    form = form or Form()
    if form.yaml:
        body = yaml.safe_dump(orjson.loads(body), sort_keys=False).encode()
    elif form.pretty:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2) + b"\n"
    answer = web.Response(body=body, status=code)
    answer.headers["Content-Type"] = form.content_type
    answer.headers["Cache-Control"] = "no-cache, private"
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        answer.headers.add("Warning", f'299 - "{quoted}"')
    return answer
