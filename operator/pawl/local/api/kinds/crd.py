"""CustomResourceDefinitions themselves (apiextensions-apiserver pkg/registry and validation)."""

from __future__ import annotations

import copy

from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.schema.causes import Cause
from pawl.local.schema.crd import check_crd

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class CrdKind(BuiltinKind):
    has_status = True
    generation = True
    status_metadata = frozenset()
    deletion_finalizers = (CLEANUP,)

    def __init__(self) -> None:
        super().__init__("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if not spec.get("scope") and "scope" in spec:
            del spec["scope"]
        listed = spec.setdefault("names", {})
        if listed.get("kind"):
            if not listed.get("singular"):
                listed["singular"] = listed["kind"].lower()
            if not listed.get("listKind"):
                listed["listKind"] = listed["kind"] + "List"
        if not spec.get("conversion"):
            spec["conversion"] = {"strategy": "None"}
        for version in spec.get("versions") or ():
            for column in version.get("additionalPrinterColumns") or ():
                if column.get("priority") == 0:
                    del column["priority"]

    def initial_status(self, obj: Obj) -> Obj | None:
        versions = obj["spec"].get("versions") or ()
        return {
            "conditions": [],
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": [v.get("name", "") for v in versions if v.get("storage")],
        }

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        stored = list(old.get("status", {}).get("storedVersions") or [])
        for version in obj["spec"].get("versions") or ():
            if version.get("storage") and version.get("name") not in stored:
                stored.append(version["name"])
        obj["status"] = {**copy.deepcopy(old.get("status", {})), "storedVersions": stored}

    def check_schema(self, obj: Obj, old: Obj | None, subresource: str) -> list[Cause]:
        """`check_crd` speaks of most, in the words of this kind; the rest is in OpenAPI."""
        if subresource:
            return []
        found = check_crd(obj, old)
        told = {cause.field for cause in found}
        missing = super().check_schema(obj, old, subresource)
        return found + [
            cause
            for cause in missing
            if cause.field.startswith("spec.versions[") and cause.field not in told
        ]
