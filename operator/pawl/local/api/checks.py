"""What a write must be before it is looked at closer: of the right kind, without unknown fields,
made from the current version; and what its endpoint cannot change."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Literal

from pawl.local.api import errors, metadata
from pawl.local.api.resources import Resource, split_api_version
from pawl.local.api.users import User
from pawl.local.schema import causes, definitions, golang

Obj = dict[str, Any]
FieldValidation = Literal["Strict", "Warn", "Ignore"]


@dataclass(frozen=True)
class Options:
    """How a write is to be done. `repeated` are keys that came twice in the body. `user`: who does
    it; None is the cluster itself, which no policy judges. `sent`: the options that were given."""

    manager: str
    dry_run: bool = False
    field_validation: FieldValidation = "Ignore"
    force: bool = False
    repeated: tuple[str, ...] = ()
    user: User | None = None
    sent: Obj = field(default_factory=dict)


def decode_failure(resource: Resource) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'


def check_kind(resource: Resource, obj: Obj) -> None:
    sent = obj["apiVersion"] = obj.get("apiVersion") or resource.api_version
    kind = obj["kind"] = obj.get("kind") or resource.kind
    if (sent, kind) == (resource.api_version, resource.kind):
        return
    if resource.storage_version:
        if sent != resource.api_version:
            raise errors.bad_request(
                f"the API version in the data ({sent}) does not match the expected API version "
                f"({resource.api_version})"
            )
        name = str((obj.get("metadata") or {}).get("name", ""))
        wrong = causes.invalid("kind", kind, f"must be {resource.kind}")
        raise errors.invalid(resource.group, str(kind), name, [wrong])
    version = str(sent).rpartition("/")[2]
    raise errors.bad_request(
        f'{kind} in version "{version}" cannot be handled as a {resource.kind}: '
        + _conversion(resource, str(sent), str(kind))
    )


def identify(
    resource: Resource,
    namespace: str | None,
    obj: Obj,
    name: str | None = None,
) -> None:
    """Kind, namespace and name must be those of the request; what is left out is filled in."""
    check_kind(resource, obj)
    meta = obj.get("metadata")
    if meta is None:
        meta = obj["metadata"] = {}
    if not isinstance(meta, dict):
        raise errors.bad_request(f"{decode_failure(resource)}: metadata is no object")
    if resource.namespaced:
        if meta.get("namespace") and meta["namespace"] != namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on "
                "the request"
            )
        meta["namespace"] = namespace or ""
    if name is not None:
        if not meta.get("name"):
            meta["name"] = name
        elif meta["name"] != name:
            raise errors.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL "
                f"({name})"
            )


def check_namespace(resource: Resource, meta: Obj, live: Obj | None) -> None:
    """The NamespaceLifecycle admission plugin; `live` is the namespace of a new object."""
    namespace = meta["namespace"]
    if live is None:
        raise errors.not_found("", "namespaces", namespace)
    if live.get("status", {}).get("phase") != "Terminating":
        return
    text = f"namespace {namespace} is being terminated"
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = errors.forbidden(resource.group, resource.plural, meta.get("name", ""), why)
    cause = {"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}
    error.details = (error.details or {}) | {"causes": [cause]}
    raise error


def _conversion(resource: Resource, api_version: str, kind: str) -> str:
    """Why an object of one kind is not one of another, as Go's scheme says it."""
    group, version = split_api_version(api_version)
    if definitions.names_by_kind().get((group, version, kind)) is None:
        return (
            f'no kind "{kind}" is registered for version "{api_version}" in scheme '
            '"pkg/runtime/scheme.go:111"'
        )
    package = resource.group.split(".")[0] or "core"
    return f"converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"


def strict_errors(resource: Resource, obj: Obj, options: Options, warnings: list[str]) -> None:
    """Prune unknown fields; say so as the client asked (fieldValidation). ApiError 400."""
    wrong = resource.behaviour.type_error(obj)
    if wrong is not None:
        raise errors.bad_request(f"{decode_failure(resource)}: {wrong}")
    found = [f'duplicate field "{path}"' for path in options.repeated]
    found += [f'unknown field "{path}"' for path in resource.behaviour.decode(obj)]
    if not found:
        return
    if options.field_validation == "Strict":
        text = f"{decode_failure(resource)}: strict decoding error: {', '.join(found)}"
        raise errors.bad_request(text)
    if options.field_validation == "Warn":
        warnings += found


def reset_for_create(resource: Resource, obj: Obj) -> None:
    """New objects begin with the status that the server gives them."""
    if resource.behaviour.has_status:
        obj.pop("status", None)
        status = resource.behaviour.initial_status(obj)
        if status is not None:
            obj["status"] = status


def reset_for_update(resource: Resource, obj: Obj, old: Obj, subresource: str) -> Obj:
    """Take from `old` what this endpoint cannot change."""
    meta, before = obj["metadata"], old["metadata"]
    if subresource == "status":
        kept = resource.behaviour.status_metadata
        meta = {k: v for k, v in before.items() if k not in kept} | {
            k: v for k, v in meta.items() if k in kept or k in _CHECKED
        }
        rest = {k: v for k, v in old.items() if k not in ("status", "metadata")}
        obj = {**rest, "metadata": meta, **({"status": obj["status"]} if "status" in obj else {})}
    elif resource.behaviour.has_status:
        obj.pop("status", None)
        if "status" in old:
            obj["status"] = copy.deepcopy(old["status"])
    metadata.carry_over(meta, before)
    return obj


# Sent values of these are compared with the stored ones, whatever endpoint they come through.
_CHECKED = frozenset({"uid", "name", "namespace", "resourceVersion", "managedFields"})


def check_revision(resource: Resource, name: str, meta: Obj, live: Obj) -> None:
    """Optimistic concurrency. ApiError 409 for a stale resourceVersion."""
    sent = meta.get("resourceVersion") or ""
    if sent and not sent.isdecimal():
        text = f"strconv.ParseUint: parsing {golang.quote(sent)}: invalid syntax"
        raise errors.ApiError(500, "", text)
    if sent and sent != live["resourceVersion"]:
        raise errors.conflict(resource.group, resource.plural, name)
    if not sent and resource.behaviour.needs_revision:
        text = "Invalid value: 0: must be specified for an update"
        cause = causes.Cause(causes.INVALID, text, "metadata.resourceVersion")
        raise errors.invalid(resource.group, resource.plural, name, [cause])
    meta["resourceVersion"] = live["resourceVersion"]


def same_but_times(a: Obj, b: Obj) -> bool:
    """Equal, but for the times of managedFields: then nothing was changed."""
    if {**a, "metadata": None} != {**b, "metadata": None}:
        return False
    return _timeless(a["metadata"]) == _timeless(b["metadata"])


def _timeless(meta: Obj) -> Obj:
    entries = [{**entry, "time": None} for entry in meta.get("managedFields") or ()]
    return {**meta, "managedFields": entries}
