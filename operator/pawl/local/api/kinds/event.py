"""Events: core/v1 is what is stored, events.k8s.io/v1 another view of it
(pkg/apis/events/v1/conversion.go)."""

from __future__ import annotations

from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind

_TO_EVENTS = {
    "message": "note",
    "involvedObject": "regarding",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_TO_CORE = {new: old for old, new in _TO_EVENTS.items()}


def to_events(obj: Obj) -> Obj:
    optional = ("reportingComponent", "reportingInstance")
    renamed = {
        _TO_EVENTS.get(field, field): value
        for field, value in obj.items()
        if value != "" or field not in optional
    }
    return renamed | {"apiVersion": "events.k8s.io/v1"}


def to_core(obj: Obj) -> Obj:
    renamed = {_TO_CORE.get(field, field): value for field, value in obj.items()}
    return renamed | {"apiVersion": "v1"}


class EventKind(BuiltinKind):
    create_on_update = True

    def __init__(self, group: str = "") -> None:
        super().__init__(group, "v1", "Event")
        self._core = not group

    def prepare_create(self, context: Context, obj: Obj) -> None:
        self.prepare_update(context, obj, obj)

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        """What Go always writes. A view has been turned into the stored form by now."""
        obj.setdefault("involvedObject", {})
        obj.setdefault("source", {})
        obj.setdefault("eventTime", None)
        for field in ("reportingComponent", "reportingInstance"):
            obj.setdefault(field, "")
        for field in ("firstTimestamp", "lastTimestamp"):
            obj.setdefault(field, None)

    def fields(self) -> dict[str, Getter]:
        regarding = "involvedObject" if self._core else "regarding"

        def of_object(field: str) -> Getter:
            return lambda obj: str(obj.get("involvedObject", {}).get(field, ""))

        def plain(field: str) -> Getter:
            return lambda obj: str(obj.get(field) or "")

        def source(obj: Obj) -> str:
            return str(obj.get("source", {}).get("component") or obj.get("reportingComponent", ""))

        parts = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        return {
            **{f"{regarding}.{part}": of_object(part) for part in parts},
            "reason": plain("reason"),
            "type": plain("type"),
            "reportingComponent": plain("reportingComponent"),
            ("source" if self._core else "reportingController"): source,
        }
