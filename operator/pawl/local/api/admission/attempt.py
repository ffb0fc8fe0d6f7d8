"""What somebody is about to write: what policies judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pawl.local.api.resources import Resource
from pawl.local.api.users import User

Obj = dict[str, Any]
Gvk = tuple[str, str, str]
_BINDING, _EVICTION = ("", "v1", "Binding"), ("policy", "v1", "Eviction")
_TOKEN, _SCALE = ("authentication.k8s.io", "v1", "TokenRequest"), ("autoscaling", "v1", "Scale")
#: What is sent to these subresources is of a kind of its own.
_KINDS = {"binding": _BINDING, "eviction": _EVICTION, "token": _TOKEN, "scale": _SCALE}


@dataclass(frozen=True)
class Attempt:
    """One write. `resource` is the version that was asked for; `obj` (None for DELETE) and `old`
    (None for CREATE) are as they are stored. `sent`: the options that were given."""

    operation: str  # CREATE | UPDATE | DELETE
    resource: Resource
    subresource: str
    namespace: str
    name: str
    obj: Obj | None
    old: Obj | None
    user: User
    dry_run: bool
    sent: Obj

    @property
    def place(self) -> str:
        """The namespace that the request names: a namespace is in itself."""
        return self.name if self.resource.table == "namespaces" else self.namespace

    def kind(self, resource: Resource) -> Gvk:
        """Of the object, in this version of the resource."""
        own = (resource.group, resource.version, resource.kind)
        return _KINDS.get(self.subresource, own)

    def options(self) -> Obj:
        """As metav1 tells them."""
        kind = f"{self.operation.capitalize()}Options"
        return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **self.sent}

    def seen(self, obj: Obj | None, resource: Resource) -> Obj | None:
        """The object in this version of the resource."""
        if obj is None or self.subresource in _KINDS:
            return obj
        return resource.shaped(dict(obj))
