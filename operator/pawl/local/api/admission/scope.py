"""What an expression of a policy may speak of, and the values that it then finds
(apiserver/pkg/admission/plugin/cel)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pawl.local.api.admission.attempt import Attempt
from pawl.local.api.resources import Resource
from pawl.local.schema import cel
from pawl.local.schema.cel.celtypes import (
    AUTHORIZER,
    BOOL,
    DYN,
    INT,
    RESOURCE_CHECK,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
)
from pawl.local.schema.cel.operators import to_timestamp
from pawl.local.schema.cel.program import Activation, Program

Obj = dict[str, Any]
_TEXTS = map_of(STRING, STRING)


def _object(name: str, /, **fields: Type) -> Type:
    return Type(f"kubernetes.{name}", fields=fields)


_KIND = _object("GroupVersionKind", group=STRING, version=STRING, kind=STRING)
_RESOURCE = _object("GroupVersionResource", group=STRING, version=STRING, resource=STRING)
_USER = _object(
    "UserInfo", username=STRING, uid=STRING, groups=list_of(STRING),
    extra=map_of(STRING, list_of(STRING)),
)  # fmt: skip
REQUEST = _object(
    "AdmissionRequest", kind=_KIND, resource=_RESOURCE, subResource=STRING, requestKind=_KIND,
    requestResource=_RESOURCE, requestSubResource=STRING, name=STRING, namespace=STRING,
    operation=STRING, userInfo=_USER, dryRun=BOOL, options=DYN,
)  # fmt: skip
_META = _object(
    "NamespaceMetadata", name=STRING, generateName=STRING, namespace=STRING, labels=_TEXTS,
    annotations=_TEXTS, UID=STRING, creationTimestamp=TIMESTAMP, deletionTimestamp=TIMESTAMP,
    deletionGracePeriodSeconds=INT, generation=INT, resourceVersion=STRING,
    finalizers=list_of(STRING),
)  # fmt: skip
NAMESPACE = _object(
    "Namespace", metadata=_META, spec=_object("NamespaceSpec", finalizers=list_of(STRING)),
    status=_object("NamespaceStatus", phase=STRING),
)  # fmt: skip
#: Without the authorizer: what messageExpression may name.
PLAIN: Mapping[str, Type] = {
    "object": DYN, "oldObject": DYN, "request": REQUEST, "namespaceObject": NAMESPACE,
}  # fmt: skip
FULL: Mapping[str, Type] = {
    **PLAIN, "authorizer": AUTHORIZER, "authorizer.requestResource": RESOURCE_CHECK,
}  # fmt: skip


class Variables(dict[str, Any]):
    """`variables` of one evaluation: each is evaluated when it is first read, and then kept."""

    def __init__(self, programs: Mapping[str, Program], activation: Activation) -> None:
        super().__init__()
        self._programs = programs
        self._activation = {**activation, "variables": self}

    def __contains__(self, name: object) -> bool:
        return name in self._programs

    def __missing__(self, name: str) -> Any:
        try:
            value = self._programs[name](self._activation)
        except cel.EvaluationError as error:
            text = f'composited variable "{name}" fails to evaluate: {error}'
            raise cel.EvaluationError(text) from None
        self[name] = value
        return value


def request(attempt: Attempt, matched: Resource) -> Obj:
    """The AdmissionRequest that expressions see; `matched` is the version that the rules name."""
    asked, sub = attempt.resource, attempt.subresource
    return {
        "kind": _gvk(*attempt.kind(matched)),
        "resource": _gvr(matched),
        **({"subResource": sub, "requestSubResource": sub} if sub else {}),
        "requestKind": _gvk(*attempt.kind(asked)),
        "requestResource": _gvr(asked),
        "name": attempt.name,
        "namespace": attempt.place,
        "operation": attempt.operation,
        "userInfo": attempt.user.info(),
        "dryRun": attempt.dry_run,
        "options": attempt.options(),
    }


def _gvk(group: str, version: str, kind: str) -> Obj:
    return {"group": group, "version": version, "kind": kind}


def _gvr(resource: Resource) -> Obj:
    return {
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
    }


def namespace(obj: Obj | None) -> Obj | None:
    """A namespace as expressions see it."""
    if obj is None:
        return None
    meta = {key: value for key, value in obj["metadata"].items() if key in _META_FIELDS}
    for stamp in ("creationTimestamp", "deletionTimestamp"):
        if stamp in meta:
            meta[stamp] = to_timestamp(meta[stamp])
    if "uid" in obj["metadata"]:
        meta["UID"] = obj["metadata"]["uid"]
    return {"metadata": meta, "spec": obj.get("spec") or {}, "status": obj.get("status") or {}}


_META_FIELDS = frozenset(_META.fields or ())
