"""Custom resources: one behaviour per CRD and version."""

from __future__ import annotations

from typing import Any

from pawl.local.api import errors
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds.base import Context, Kind, Obj, Schema
from pawl.local.api.kinds.canonical import normalize
from pawl.local.api.metadata import FOREGROUND, ORPHAN
from pawl.local.schema import causes, definitions
from pawl.local.schema.causes import Cause
from pawl.local.schema.gotypes import type_error
from pawl.local.schema.prune import prune
from pawl.local.schema.structural import Structural

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_MOST_REPLICAS = 2**31 - 1
_ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class CustomKind(Kind):
    generation = True
    needs_revision = True

    def __init__(self, crd: Obj, version: Obj) -> None:
        self._schema: Schema = (version.get("schema") or {}).get("openAPIV3Schema") or _ANYTHING
        self._structural = Structural(self._schema)
        self._paths = [f["jsonPath"] for f in version.get("selectableFields") or ()]
        self.terminating = "deletionTimestamp" in crd["metadata"]
        scale = (version.get("subresources") or {}).get("scale") or {}
        self._replicas = [
            scale[field] for field in ("specReplicasPath", "statusReplicasPath") if field in scale
        ]
        self.has_status = "status" in (version.get("subresources") or {})
        self.columns: list[Obj] | None = version.get("additionalPrinterColumns")

    def schema(self) -> Schema:
        return self._schema

    def decode(self, obj: Obj) -> list[str]:
        found = self._structural.prune(obj)
        meta = obj["metadata"]
        found += [f"metadata.{path}" for path in prune(meta, definitions.resolve(_OBJECT_META))]
        normalize(meta, definitions.resolve(_OBJECT_META))
        return found

    def type_error(self, obj: Obj) -> str | None:
        """Metadata is that of every kind; the rest is checked by the schema."""
        return type_error(obj.get("metadata"), definitions.resolve(_OBJECT_META))

    def default(self, obj: Obj) -> None:
        self._structural.default(obj)

    def admit(self, context: Context, obj: Obj, old: Obj | None) -> None:
        if old is None and self.terminating:
            text = "create not allowed while custom resource definition is terminating"
            raise errors.ApiError(405, "MethodNotAllowed", text, {})

    def check_schema(self, obj: Obj, old: Obj | None, subresource: str) -> list[Cause]:
        if subresource == "status":
            return self._structural.validate_status(obj, old) + self._scaled(obj)
        return self._structural.validate(obj, old) + self._scaled(obj)

    def _scaled(self, obj: Obj) -> list[Cause]:
        """Replicas have to fit into a Scale."""
        found = []
        for path in self._replicas:
            value: Any = obj
            for part in path.lstrip(".").split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if isinstance(value, int) and not isinstance(value, bool):
                if value < 0:
                    text = "should be a non-negative integer"
                    found.append(causes.invalid(path, value, text))
                elif value > _MOST_REPLICAS:
                    text = f"should be less than or equal to {_MOST_REPLICAS}"
                    found.append(causes.invalid(path, value, text))
        return found

    def warnings(self, obj: Obj, old: Obj | None) -> list[str]:
        before = (old or {}).get("metadata", {}).get("finalizers") or ()
        return [
            f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name '
            + ("including a path (/) " if "." in name else "")
            + "to avoid accidental conflicts with other finalizer writers"
            for name in obj["metadata"].get("finalizers") or ()
            if "/" not in name and name not in (*before, ORPHAN, FOREGROUND)
        ]

    def spec_of(self, obj: Obj) -> Any:
        ignored = ("metadata", "status") if self.has_status else ("metadata",)
        return {field: value for field, value in obj.items() if field not in ignored}

    def fields(self) -> dict[str, Getter]:
        return {path.lstrip("."): _at(path) for path in self._paths}

    def unknown_selector(self, path: str) -> str:
        return f"field label not supported: {path}"


def _at(path: str) -> Getter:
    parts = path.lstrip(".").split(".")

    def get(obj: Obj) -> str:
        value: Any = obj
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    return get
