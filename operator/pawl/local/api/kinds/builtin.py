"""Kinds of Kubernetes itself, decoded and checked by their OpenAPI definitions."""

from __future__ import annotations

from pawl.local.api import metadata
from pawl.local.api.kinds.base import Kind, Obj, Schema
from pawl.local.api.kinds.canonical import normalize
from pawl.local.schema import causes
from pawl.local.schema.builtin import Builtins
from pawl.local.schema.causes import Cause

BUILTINS = Builtins()
_STANDARD = frozenset({"kubernetes", metadata.ORPHAN, metadata.FOREGROUND})


class BuiltinKind(Kind):
    strategic = True
    status_metadata = frozenset({"labels", "annotations", "finalizers"})

    def __init__(self, group: str, version: str, kind: str) -> None:
        self.gvk = (group, version, kind)

    def schema(self) -> Schema:
        return BUILTINS.schema(*self.gvk)

    def decode(self, obj: Obj) -> list[str]:
        found = BUILTINS.prune(self.gvk, obj)
        normalize(obj, self.schema())
        return found

    def type_error(self, obj: Obj) -> str | None:
        return BUILTINS.type_error(self.gvk, obj)

    def check_schema(self, obj: Obj, old: Obj | None, subresource: str) -> list[Cause]:
        del old
        if subresource:
            return []
        found = [c for c in BUILTINS.validate(self.gvk, obj) if not c.field.startswith("metadata")]
        return _finalizers(obj["metadata"]) + found


def _finalizers(meta: Obj) -> list[Cause]:
    text = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        causes.invalid(causes.index("metadata.finalizers", number), name, text)
        for number, name in enumerate(meta.get("finalizers") or ())
        if "/" not in name and name not in _STANDARD
    ]
