"""Adopting and releasing what a controller selects (pkg/controller/controller_ref_manager.go).

An object that matches the selector and has no controller is adopted; one that is controlled but
no longer matches is released. So deleting an owner with --cascade=orphan and creating it again
keeps its objects, and relabelling a pod takes it out of its ReplicaSet.
"""

from collections.abc import Iterable

from pawl.local.controllers.changes import Patch
from pawl.local.controllers.objects import (
    Obj,
    controller_of,
    controller_reference,
    deleting,
    labels,
    matches,
    meta,
    spec,
    uid,
)


def plan_claims(
    owner: Obj, candidates: Iterable[Obj], *, resource: str, owner_type: tuple[str, str]
) -> tuple[Patch, ...]:
    """`owner_type` is (apiVersion, kind) of the owner; candidates are of its namespace."""
    if deleting(owner):
        return ()
    selector = spec(owner).get("selector")
    changes = []
    for obj in candidates:
        controller, fits = controller_of(obj), matches(selector, labels(obj))
        refs = meta(obj).get("ownerReferences") or []
        if controller is None and fits and not deleting(obj):
            refs = [*refs, controller_reference(owner, *owner_type)]
        elif controller is not None and controller["uid"] == uid(owner) and not fits:
            refs = [ref for ref in refs if ref["uid"] != uid(owner)]
        else:
            continue
        body = {"metadata": {"uid": uid(obj), "ownerReferences": refs or None}}
        changes.append(Patch(resource, obj, body))
    return tuple(changes)


def controlled(owner: Obj, candidates: Iterable[Obj]) -> list[Obj]:
    """The candidates that are controlled by the owner and match its selector."""
    selector = spec(owner).get("selector")
    return [
        obj
        for obj in candidates
        if (ref := controller_of(obj)) is not None
        and ref["uid"] == uid(owner)
        and matches(selector, labels(obj))
    ]
