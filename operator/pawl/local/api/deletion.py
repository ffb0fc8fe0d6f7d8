"""Deleting objects: graceful, with finalizers, foreground and orphan
(apiserver pkg/registry/rest/delete.go and generic/registry/store.go).

An object with finalizers, or one that somebody must end gracefully, gets a deletionTimestamp and
stays until the last finalizer is taken away, or until it is deleted with a grace period of 0.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pawl.local.api import errors, metadata
from pawl.local.api.admission.attempt import Attempt
from pawl.local.api.kinds.base import Context
from pawl.local.api.resources import Resource
from pawl.local.api.store import Item, Key
from pawl.local.api.users import User

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True)
class DeleteOptions:
    propagation: str | None = None  # Foreground | Background | Orphan
    grace_period: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    user: User | None = None  # None: the cluster itself, which no policy judges
    sent: Obj = field(default_factory=dict)  # the options that were given


@dataclass(frozen=True)
class Deleted:
    """`gone`: the object does not exist any more; else it waits for its finalizers or its end."""

    item: Item
    gone: bool
    warnings: tuple[str, ...] = ()


def delete(
    registry: Registry, resource: Resource, namespace: str | None, name: str, options: DeleteOptions
) -> Deleted:
    """ApiError 404, 409 (preconditions), and what policies refuse."""
    key = Key(namespace or "", name)
    table = registry.store.table(resource.table)
    live = table.get(key)
    if live is None:
        raise errors.not_found(resource.group, resource.plural, name)
    _check_preconditions(resource, name, live.obj["metadata"], options)
    warnings = _judge(registry, resource, key, live.obj, options)
    done = _delete(registry, resource, key, live, options)
    return replace(done, warnings=tuple(warnings)) if warnings else done


def _judge(
    registry: Registry, resource: Resource, key: Key, obj: Obj, options: DeleteOptions
) -> list[str]:
    if options.user is None or not registry.admission:
        return []
    return registry.admission.judge(
        Attempt(
            "DELETE", resource, "", key.namespace, key.name, None, obj,
            options.user, options.dry_run, options.sent,
        )
    )  # fmt: skip


def _delete(
    registry: Registry, resource: Resource, key: Key, live: Item, options: DeleteOptions
) -> Deleted:
    table = registry.store.table(resource.table)
    obj = copy.deepcopy(live.obj)
    meta, now = obj["metadata"], datetime.now(UTC)
    grace = resource.behaviour.grace(obj, options.grace_period)
    finalizers = _finalizers(resource, meta, options)
    if finalizers != (meta.get("finalizers") or []):
        meta["finalizers"] = finalizers
        metadata.clean(meta)
    waits = bool(finalizers) or resource.behaviour.lingers(obj)
    if grace == 0 and not waits:
        if resource.behaviour.graceful:
            _mark(obj, now, 0)
        if options.dry_run:
            return Deleted(live, gone=True)
        return Deleted(finish(registry, resource, key, obj), gone=True)
    _mark(obj, now, grace)
    resource.behaviour.begin_deletion(obj)
    if obj == live.obj:
        return Deleted(live, gone=False)
    if options.dry_run:
        return Deleted(Item(obj, live.revision), gone=False)
    item = table.put(key, obj)
    registry.after_write(resource, live.obj, obj)
    return Deleted(item, gone=table.get(key) is None)


def _check_preconditions(resource: Resource, name: str, meta: Obj, options: DeleteOptions) -> None:
    for what, key, wanted, then in (
        ("UID", "uid", options.uid, "deleted and then recreated"),
        ("ResourceVersion", "resourceVersion", options.resource_version, "modified"),
    ):
        if wanted is not None and wanted != meta[key]:
            why = f"the {what} in the precondition ({wanted}) does not match the {what} in record "
            why += f"({meta[key]}). The object might have been {then}"
            raise errors.conflict(resource.group, resource.kind, name, why)


def _finalizers(resource: Resource, meta: Obj, options: DeleteOptions) -> list[str]:
    """The finalizers with those of the garbage collector as the policy wants them."""
    present = list(meta.get("finalizers") or [])
    present += [f for f in resource.behaviour.deletion_finalizers if f not in present]
    policy = options.propagation
    if policy is None:
        if metadata.ORPHAN in present:
            policy = "Orphan"
        elif metadata.FOREGROUND in present:
            policy = "Foreground"
        elif resource.behaviour.orphans_by_default:
            policy = "Orphan"
    kept = [f for f in present if f not in (metadata.ORPHAN, metadata.FOREGROUND)]
    added = {"Orphan": [metadata.ORPHAN], "Foreground": [metadata.FOREGROUND]}.get(policy or "", [])
    return present if set(kept + added) == set(present) else kept + added


def _mark(obj: Obj, now: datetime, grace: int) -> None:
    """Set the deletionTimestamp, or move it nearer when a shorter grace period is asked for."""
    meta = obj["metadata"]
    if "deletionTimestamp" in meta:
        before = meta.get("deletionGracePeriodSeconds")
        if before is None or grace >= before:
            return
        asked_at = datetime.fromisoformat(meta["deletionTimestamp"]) - timedelta(seconds=before)
        meta["deletionTimestamp"] = metadata.stamp(asked_at + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        return
    meta["deletionTimestamp"] = metadata.stamp(now + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace
    if meta.get("generation", 0) > 0:
        meta["generation"] += 1


def ends_with_update(resource: Resource, obj: Obj) -> bool:
    """Whether an update took away the last thing that a deletion waited for."""
    meta = obj["metadata"]
    return (
        "deletionTimestamp" in meta
        and not meta.get("finalizers")
        and not meta.get("deletionGracePeriodSeconds")
        and not resource.behaviour.lingers(obj)
    )


def finish(registry: Registry, resource: Resource, key: Key, obj: Obj) -> Item:
    """Take the object away for good. Its last revision is told by watches only."""
    version = obj["metadata"].get("resourceVersion")
    item = registry.store.table(resource.table).remove(key, obj)
    context = Context(registry, datetime.now(UTC))
    resource.behaviour.deleted(context, item.obj)
    registry.after_delete(resource, item.obj)
    meta = {**item.obj["metadata"], "resourceVersion": version}
    return Item({**item.obj, "metadata": meta}, item.revision)
