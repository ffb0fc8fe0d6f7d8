"""Kinds of Kubernetes itself, decoded and checked by their OpenAPI definitions."""

from __future__ import annotations

from pawl.local.api.kinds.base import Kind, Obj, Schema
from pawl.local.api.kinds.canonical import normalize
from pawl.local.schema.builtin import Builtins
from pawl.local.schema.causes import Cause

BUILTINS = Builtins()


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
        return [] if subresource else BUILTINS.validate(self.gvk, obj)
