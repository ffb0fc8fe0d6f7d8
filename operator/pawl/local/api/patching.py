"""PATCH: the four patch types, each turned into an update (or, for apply, a creation)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pawl.local import patch
from pawl.local.api import errors
from pawl.local.api.checks import Options, check_kind, decode_failure
from pawl.local.api.resources import Resource, split_api_version
from pawl.local.api.store import Key
from pawl.local.api.write import Outcome, Writer
from pawl.local.patch import managed
from pawl.local.schema import causes, golang

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
_CUSTOM_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
)
PatchKind = Literal["merge", "json", "strategic", "apply"]


def apply_patch(
    registry: Registry,
    writer: Writer,
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    options: Options,
    *,
    kind: PatchKind,
    subresource: str = "",
) -> Outcome:
    """ApiError 404 (but apply creates), 409, 415, 422."""
    try:
        if kind == "apply":
            return _server_side_apply(
                registry, writer, resource, namespace, name, body, options, subresource
            )
        live = _live(registry, resource, namespace, name)
        if live is None:
            raise errors.not_found(resource.group, resource.plural, name)
        patched = _patched(resource, live, body, kind)
        _refuse_strictly(resource, patched, body, options, kind)
        return writer.update(
            resource, namespace, name, patched, options, subresource=subresource, patched=True
        )
    except managed.Conflicts as conflicts:
        found = [
            {"reason": c.reason, "message": c.message, "field": c.field} for c in conflicts.causes
        ]
        raise errors.ApiError(409, "Conflict", str(conflicts), {"causes": found}) from None
    except patch.PatchError as error:
        raise _as_api_error(error) from None


def _live(registry: Registry, resource: Resource, namespace: str | None, name: str) -> Obj | None:
    """A copy of the stored object in the shape of the request."""
    item = registry.store.table(resource.table).get(Key(namespace or "", name))
    return None if item is None else resource.shaped(copy.deepcopy(item.obj))


def _patched(resource: Resource, live: Obj, body: Any, kind: PatchKind) -> Obj:
    if kind == "strategic":
        schema = resource.behaviour.schema()
        if not resource.behaviour.strategic:
            raise errors.unsupported_media_type(_CUSTOM_PATCHES)
        patched = patch.strategic(live, body, schema)
        if isinstance(patched, dict):  # it is put into the Go struct of the kind, whatever it says
            patched |= {"apiVersion": live["apiVersion"], "kind": live["kind"]}
    elif kind == "json":
        patched = patch.json_patch(live, body)
    else:
        patched = patch.merge(live, body)
    if not isinstance(patched, dict):
        raise errors.bad_request(f"{decode_failure(resource)}: the patched object is no object")
    if patched.get("metadata") is None:
        patched["metadata"] = {}
    return patched


def _refuse_strictly(
    resource: Resource, patched: Obj, body: Any, options: Options, kind: PatchKind
) -> None:
    """What is wrong with the patched object is told as what is wrong with the patch."""
    text = resource.behaviour.type_error(patched) or _other_kind(resource, patched)
    if text is None:
        found = [f'duplicate field "{path}"' for path in options.repeated]
        if options.field_validation == "Strict":
            unknown = resource.behaviour.decode(copy.deepcopy(patched))
            found += [f'unknown field "{path}"' for path in unknown]
        if not found:
            return
        text = f"strict decoding error: {', '.join(found)}"
    whole = dict(patched)
    if isinstance(patched.get("metadata"), dict):
        whole["metadata"] = {k: v for k, v in patched["metadata"].items() if k != "managedFields"}
    shown = golang.plain(body) if kind == "strategic" else golang.to_json(whole)
    raise errors.invalid("", "", "", [causes.invalid("patch", shown, text)])


def _other_kind(resource: Resource, patched: Obj) -> str | None:
    try:
        check_kind(resource, patched)
    except errors.ApiError as error:
        return error.message.partition(f" cannot be handled as a {resource.kind}: ")[2] or (
            error.message
        )
    return None


def _server_side_apply(
    registry: Registry,
    writer: Writer,
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    options: Options,
    subresource: str,
) -> Outcome:
    applied = _checked(resource, namespace, name, body)
    live = _live(registry, resource, namespace, name)
    if live is None and subresource:
        raise errors.not_found(resource.group, resource.plural, name)
    if live is None and (uid := applied["metadata"].get("uid")):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object "
        why += "was found"
        raise errors.conflict(resource.group, resource.plural, name, why)
    if live is not None:
        sent = applied["metadata"].get("resourceVersion")
        if sent and sent != live["metadata"]["resourceVersion"]:
            raise errors.conflict(resource.group, resource.plural, name)
    merged = managed.apply(
        live, applied, manager=options.manager, force=options.force,
        schema=resource.behaviour.schema(), api_version=resource.api_version,
        subresource=subresource, now=datetime.now(UTC),
    )  # fmt: skip
    if wrong := resource.behaviour.type_error(applied):
        text = f"failed to convert new object ({managed.described(applied)}) to proper version: "
        text += f"unable to convert unstructured object to {managed.gvk(applied)}: {wrong}"
        raise errors.ApiError(500, "", text)
    if live is None:
        if not merged["metadata"].get("name"):
            raise errors.bad_request(
                f"the name of the object ({name} based on URL) was undeterminable: "
                "name must be provided"
            )
        return writer.create(resource, namespace, merged, options, applied=True)
    merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return writer.update(
        resource,
        namespace,
        name,
        merged,
        options,
        subresource=subresource,
        patched=True,
        applied=True,
    )


def _checked(resource: Resource, namespace: str | None, name: str, body: Any) -> Obj:
    if not isinstance(body, dict):
        raise errors.bad_request("error decoding YAML: the patch is no object")
    applied: Obj = copy.deepcopy(body)
    sent = applied.get("apiVersion", ""), applied.get("kind", "")
    if sent != (resource.api_version, resource.kind):
        group, version = split_api_version(str(sent[0]))
        raise errors.bad_request(f"invalid object type: {group}/{version}, Kind={sent[1]}")
    meta = applied["metadata"] = applied.get("metadata") or {}
    if not isinstance(meta, dict):
        raise errors.bad_request(f"{decode_failure(resource)}: metadata is no object")
    if meta.get("name", name) != name:
        raise errors.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )
    if resource.namespaced and meta.get("namespace", namespace) != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return applied


def _as_api_error(error: patch.PatchError) -> errors.ApiError:
    text = str(error)
    if error.code == 422:
        return errors.ApiError(422, "Invalid", text, {})
    if error.code == 413:
        return errors.ApiError(413, "RequestEntityTooLarge", text)
    if error.code == 500:
        return errors.ApiError(500, "", text)
    return errors.bad_request(text)
