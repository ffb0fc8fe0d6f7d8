"""Garbage collection by ownerReferences (pkg/controller/garbagecollector).

An object goes when none of its owners exists any more. An owner's uid must match, and it is
looked for in the object's own namespace (or cluster-wide, if its kind is). Foreground deletion
of an owner waits for dependants with blockOwnerDeletion; orphaning takes the owner off its
dependants. Invariant: an object with an owner that lives is never deleted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from pawl.local.api.registry import Registry
from pawl.local.controllers.changes import EVERYTHING, Change, Delete, Emit, Patch, Shell
from pawl.local.controllers.objects import (
    Key,
    Obj,
    deleting,
    finalizers,
    key_of,
    namespace,
    owners,
    uid,
)

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
IGNORED = frozenset({"events", "events.k8s.io/events"})

# solid: keeps the object; gone: does not exist; waiting: is itself being deleted in the
# foreground; unknown: of a kind that is not served (now), which proves nothing
Standing = Literal["solid", "gone", "waiting", "unknown"]


class Place(NamedTuple):
    """Where an object is or was."""

    resource: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Observed:
    """An object that exists, how its owners stand (by position), and what it owns."""

    resource: str
    obj: Obj
    owners: tuple[Standing, ...]
    dependents: tuple[tuple[str, Obj], ...]


def plan_item(observed: Observed) -> tuple[Change, ...]:
    """What becomes of an object that is not being deleted, by its owners."""
    obj, refs = observed.obj, owners(observed.obj)
    if deleting(obj) or not refs:
        return ()
    kept = [ref for ref, how in zip(refs, observed.owners, strict=True) if how in _KEEPING]
    if kept:
        if len(kept) == len(refs):
            return ()
        return (_set_owners(observed.resource, obj, kept),)
    if "waiting" in observed.owners and observed.dependents:
        unblock = _unblock(observed) if _in_cycle(observed) else ()
        return (*unblock, Delete(observed.resource, obj, propagation="Foreground"))
    return (Delete(observed.resource, obj, propagation=_policy(obj)),)


_KEEPING = {"solid", "unknown"}


def plan_owner(observed: Observed) -> tuple[Change, ...]:
    """What is due for an object that is being deleted: orphan its dependants, or let it go."""
    obj, mine = observed.obj, uid(observed.obj)
    if not deleting(obj):
        return ()
    if ORPHAN in finalizers(obj):
        freed = [
            _set_owners(resource, one, [ref for ref in owners(one) if ref["uid"] != mine])
            for resource, one in observed.dependents
        ]
        return (*freed, _drop_finalizer(observed, ORPHAN))
    if FOREGROUND in finalizers(obj) and not any(
        ref["uid"] == mine and ref.get("blockOwnerDeletion")
        for _, one in observed.dependents
        for ref in owners(one)
    ):
        return (_drop_finalizer(observed, FOREGROUND),)
    return ()


def _set_owners(resource: str, obj: Obj, refs: list[Obj]) -> Patch:
    return Patch(resource, obj, {"metadata": {"uid": uid(obj), "ownerReferences": refs or None}})


def _drop_finalizer(observed: Observed, finalizer: str) -> Patch:
    left = [f for f in finalizers(observed.obj) if f != finalizer]
    body = {"metadata": {"uid": uid(observed.obj), "finalizers": left or None}}
    return Patch(observed.resource, observed.obj, body)


def _in_cycle(observed: Observed) -> bool:
    return any(deleting(d) and FOREGROUND in finalizers(d) for _, d in observed.dependents)


def _unblock(observed: Observed) -> tuple[Patch, ...]:
    refs = [{**ref, "blockOwnerDeletion": False} for ref in owners(observed.obj)]
    return (_set_owners(observed.resource, observed.obj, refs),)


def _policy(obj: Obj) -> str:
    if ORPHAN in finalizers(obj):
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers(obj) else "Background"


class GarbageCollector:
    name = "garbage-collector"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "garbage-collector-controller")

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Place]]]:
        return {EVERYTHING: self._wakes}

    def _wakes(self, obj: Obj) -> Iterable[Place]:
        """The object, and owners that wait for it to go."""
        served = self._shell.registry.catalog.by_kind(obj["apiVersion"], obj["kind"])
        resource = served.table if served is not None else ""
        if resource in IGNORED:
            return
        yield Place(resource, *key_of(obj), uid(obj))
        for ref in owners(obj):
            owner = self._owner(obj, ref)
            if owner is not None and deleting(owner[1]):
                yield Place(owner[0], *key_of(owner[1]), uid(owner[1]))

    def reconcile(self, key: Place, now: datetime) -> None:
        obj = self._shell.find(key.resource, Key(key.namespace, key.name))
        if obj is None or uid(obj) != key.uid:
            self._collect(self._shell.registry.owned(key.uid))
            return
        self._tell_of_impossible_owners(obj)
        if not deleting(obj):
            self._collect([(key.resource, obj)])
            return
        if FOREGROUND in finalizers(obj):
            self._collect(self._shell.registry.owned(key.uid))
        live = self._shell.find(key.resource, Key(key.namespace, key.name))
        if live is not None and uid(live) == key.uid:
            self._shell.apply(plan_owner(self._observe(key.resource, live)))

    def _collect(self, items: Iterable[tuple[str, Obj]]) -> None:
        for resource, obj in items:
            if owners(obj) and not deleting(obj):
                self._shell.apply(plan_item(self._observe(resource, obj)))

    def _observe(self, resource: str, obj: Obj) -> Observed:
        standings = tuple(self._standing(obj, ref) for ref in owners(obj))
        return Observed(resource, obj, standings, tuple(self._shell.registry.owned(uid(obj))))

    def _standing(self, obj: Obj, ref: Obj) -> Standing:
        served = self._shell.registry.catalog.by_kind(ref["apiVersion"], ref["kind"])
        if served is None or (served.namespaced and not namespace(obj)):
            return "unknown"
        owner = self._owner(obj, ref)
        if owner is None:
            return "gone"
        waiting = deleting(owner[1]) and FOREGROUND in finalizers(owner[1])
        return "waiting" if waiting else "solid"

    def _owner(self, obj: Obj, ref: Obj) -> tuple[str, Obj] | None:
        """The resource and object that the reference means, if it exists."""
        served = self._shell.registry.catalog.by_kind(ref["apiVersion"], ref["kind"])
        if served is None:
            return None
        where = Key(namespace(obj) if served.namespaced else "", ref["name"])
        found = self._shell.find(served.table, where)
        return (served.table, found) if found is not None and uid(found) == ref["uid"] else None

    def _tell_of_impossible_owners(self, obj: Obj) -> None:
        if namespace(obj) or not owners(obj):
            return
        for ref in owners(obj):
            served = self._shell.registry.catalog.by_kind(ref["apiVersion"], ref["kind"])
            if served is not None and served.namespaced:
                who = f"[{ref['apiVersion']}/{ref['kind']}, namespace: , name: {ref['name']}, "
                text = f'ownerRef {who}uid: {ref["uid"]}] does not exist in namespace ""'
                self._shell.apply((Emit(obj, "Warning", "OwnerRefInvalidNamespace", text),))
