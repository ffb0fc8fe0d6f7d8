"""Events of the cluster's own components, counted when they repeat, and forgotten after an hour
(client-go tools/record, kube-apiserver --event-ttl)."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from pawl.local.api import metadata
from pawl.local.api.store import Key, Store

Obj = dict[str, Any]
TABLE = "events"
TTL = timedelta(hours=1)
_REMEMBERED = 4096
_SWEEP = timedelta(minutes=1)


class Recorder:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: OrderedDict[tuple[str, ...], Key] = OrderedDict()
        self._swept: datetime | None = None

    def record(
        self, regarding: Obj, *, type: str, reason: str, message: str, component: str, now: datetime
    ) -> None:
        """`regarding` is an object, or one with a `fieldPath` beside its metadata."""
        self.sweep(now)
        meta = regarding["metadata"]
        namespace = meta.get("namespace") or "default"
        path = regarding.get("fieldPath", "")
        same = (namespace, meta.get("uid", ""), path, type, reason, message, component)
        table = self._store.table(TABLE)
        key = self._names.get(same)
        before = table.get(key) if key is not None else None
        if key is not None and before is not None:
            self._names.move_to_end(same)
            again = {
                **before.obj,
                "metadata": dict(before.obj["metadata"]),
                "count": before.obj.get("count", 1) + 1,
                "lastTimestamp": metadata.stamp(now),
            }
            table.put(key, again)
            return
        key = Key(namespace, f"{meta['name']}.{int(now.timestamp() * 1e9):016x}")
        while table.get(key) is not None:
            key = Key(namespace, f"{meta['name']}.{metadata.suffix()}{metadata.suffix()}")
        self._names[same] = key
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)
        reference = _reference(regarding)
        table.put(key, _event(key, reference, type, reason, message, component, now))

    def sweep(self, now: datetime) -> None:
        """Forget what is older than the TTL; at most once a minute."""
        if self._swept is not None and now - self._swept < _SWEEP:
            return
        self._swept = now
        oldest = metadata.stamp(now - TTL)
        table = self._store.table(TABLE)
        for key, item in table.pairs():
            obj = item.obj
            last = obj.get("lastTimestamp") or obj["metadata"].get("creationTimestamp", "")
            if last and last < oldest:
                table.remove(key, {**obj, "metadata": dict(obj["metadata"])})


def _reference(obj: Obj) -> Obj:
    meta = obj["metadata"]
    found = {
        "kind": obj.get("kind", ""),
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "apiVersion": obj.get("apiVersion", ""),
        "resourceVersion": meta.get("resourceVersion", ""),
        "fieldPath": obj.get("fieldPath", ""),
    }
    return {field: value for field, value in found.items() if value}


def _event(
    key: Key, reference: Obj, type: str, reason: str, message: str, component: str, now: datetime
) -> Obj:
    stamp = metadata.stamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": metadata.new_uid(),
            "creationTimestamp": stamp,
        },
        "involvedObject": reference,
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "type": type,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": "",
    }
