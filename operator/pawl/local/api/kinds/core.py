"""The smaller kinds of the core group."""

from __future__ import annotations

import base64
import binascii
import copy

from pawl.local.api import names
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.kinds.base import Context, Obj
from pawl.local.api.kinds.builtin import BuiltinKind
from pawl.local.api.kinds.workloads import immutable
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause

_MAX_DATA = 1024 * 1024
_FINALIZER = "kubernetes"


class NamespaceKind(BuiltinKind):
    """spec.finalizers keeps a deleted namespace until its content is gone."""

    has_status = True
    name_rule = staticmethod(names.dns_label)

    def __init__(self) -> None:
        super().__init__("", "v1", "Namespace")

    def default(self, obj: Obj) -> None:
        obj.setdefault("spec", {})
        if obj["metadata"].get("name"):
            labels = obj["metadata"].setdefault("labels", {})
            labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]

    def initial_status(self, obj: Obj) -> Obj | None:
        return {"phase": "Active"}

    def prepare_create(self, context: Context, obj: Obj) -> None:
        labels = obj["metadata"].setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
        finalizers = obj["spec"].setdefault("finalizers", [])
        if _FINALIZER not in finalizers:
            finalizers.append(_FINALIZER)

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        obj["spec"] = copy.deepcopy(old.get("spec", {}))

    def prepare_finalize(self, obj: Obj, old: Obj) -> None:
        """The subresource changes spec.finalizers and nothing else."""
        left = (obj.get("spec") or {}).get("finalizers") or []
        obj["spec"] = {**copy.deepcopy(old.get("spec", {})), "finalizers": list(left)}
        obj["status"] = copy.deepcopy(old.get("status", {}))

    def lingers(self, obj: Obj) -> bool:
        return bool((obj.get("spec") or {}).get("finalizers"))

    def begin_deletion(self, obj: Obj) -> None:
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        obj["metadata"].pop("deletionGracePeriodSeconds", None)

    def fields(self) -> dict[str, Getter]:
        return {"status.phase": lambda obj: str(obj.get("status", {}).get("phase", ""))}


class ConfigMapKind(BuiltinKind):
    def __init__(self) -> None:
        super().__init__("", "v1", "ConfigMap")

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        found = _keys(data, "data") + _keys(binary, "binaryData")
        found += [
            causes.invalid(causes.key("data", key), "duplicate of key present in binaryData", key)
            for key in data.keys() & binary.keys()
        ]
        size = sum(len(value.encode()) for value in data.values())
        size += sum(len(value) * 3 // 4 for value in binary.values())
        if size > _MAX_DATA:
            found.append(causes.too_long("<nil>", _MAX_DATA))
        return found

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        return _frozen(obj, old, ("data", "binaryData"))


class SecretKind(BuiltinKind):
    def __init__(self) -> None:
        super().__init__("", "v1", "Secret")

    def default(self, obj: Obj) -> None:
        if not obj.get("type"):
            obj["type"] = "Opaque"
        plain = obj.pop("stringData", None)
        if plain:
            data = obj.setdefault("data", {})
            for key, value in plain.items():
                data[key] = base64.b64encode(value.encode()).decode()

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        data = obj.get("data") or {}
        found = _keys(data, "data")
        total = 0
        for key, value in data.items():
            try:
                total += len(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                text = "must be base64 encoded"
                found.append(causes.invalid(causes.key("data", key), "", text))
        if total > _MAX_DATA:
            found.append(causes.too_long("data", _MAX_DATA))
        return found + _typed_secret(obj.get("type", ""), data)

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        return immutable(obj, old, "type") + _frozen(obj, old, ("data",))

    def fields(self) -> dict[str, Getter]:
        return {"type": lambda obj: str(obj.get("type", ""))}


_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _typed_secret(kind: str, data: Obj) -> list[Cause]:
    return [
        causes.required(causes.key("data", key))
        for key in _REQUIRED_KEYS.get(kind, ())
        if key not in data
    ]


def _keys(data: Obj, path: str) -> list[Cause]:
    return [
        causes.invalid(causes.key(path, key), key, text)
        for key in data
        for text in names.config_key(key)
    ]


def _frozen(obj: Obj, old: Obj, fields: tuple[str, ...]) -> list[Cause]:
    """`immutable: true` cannot be taken back, and freezes the data."""
    if not old.get("immutable"):
        return []
    found: list[Cause] = []
    text = "field is immutable when `immutable` is set"
    if not obj.get("immutable"):
        found.append(causes.forbidden("immutable", text))
    found += [causes.forbidden(field, text) for field in fields if obj.get(field) != old.get(field)]
    return found


class ServiceAccountKind(BuiltinKind):
    returns_deleted = True

    def __init__(self) -> None:
        super().__init__("", "v1", "ServiceAccount")


class NodeKind(BuiltinKind):
    has_status = True

    def __init__(self) -> None:
        super().__init__("", "v1", "Node")

    def default(self, obj: Obj) -> None:
        obj.setdefault("spec", {})
        status = obj.get("status")
        if status and status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])

    def prepare_status(self, context: Context, obj: Obj, old: Obj) -> None:
        self.default(obj)

    def initial_status(self, obj: Obj) -> Obj | None:
        return {}

    def fields(self) -> dict[str, Getter]:
        def unschedulable(obj: Obj) -> str:
            return str(bool(obj.get("spec", {}).get("unschedulable"))).lower()

        return {"spec.unschedulable": unschedulable}


class ClaimKind(BuiltinKind):
    """PersistentVolumeClaims: accepted and stored; nothing here binds them."""

    has_status = True
    returns_deleted = True

    def __init__(self) -> None:
        super().__init__("", "v1", "PersistentVolumeClaim")

    def default(self, obj: Obj) -> None:
        spec = obj.setdefault("spec", {})
        if not spec.get("volumeMode"):
            spec["volumeMode"] = "Filesystem"

    def initial_status(self, obj: Obj) -> Obj | None:
        return {"phase": "Pending"}

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        spec = obj["spec"]
        found: list[Cause] = []
        if not spec.get("accessModes"):
            text = "at least 1 access mode is required"
            found.append(causes.required("spec.accessModes", text))
        if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
            found.append(causes.required("spec.resources[storage]"))
        return found
