"""CRDs at work: a definition that is accepted is served at once; one that is deleted takes its
objects with it (apiextensions-apiserver pkg/controller)."""

from __future__ import annotations

import contextlib
import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pawl.local.api import errors, metadata
from pawl.local.api.deletion import DeleteOptions
from pawl.local.api.kinds.crd import CLEANUP
from pawl.local.api.kinds.custom import CustomKind
from pawl.local.api.resources import CUSTOM_VERBS, Resource, ScalePaths
from pawl.local.api.store import Key

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
TABLE = "apiextensions.k8s.io/customresourcedefinitions"
_MANAGER = "kube-apiserver"


class CustomResources:
    """Keeps the catalog in step with the CRDs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        registry.on_write(TABLE, self._changed)

    def _changed(self, _resource: Resource, old: Obj | None, new: Obj | None) -> None:
        if new is None:
            if old is not None:
                self._forget(old)
            return
        status = self._status(new)
        if status != new.get("status"):
            # comes back here, with nothing left to change
            self._write_status(new, status)
            return
        if _true(new, "Established"):
            self._serve(new)
        if "deletionTimestamp" in new["metadata"]:
            self._empty(new)

    def _status(self, crd: Obj) -> Obj:
        status = copy.deepcopy(crd.get("status") or {})
        clash = self._clash(crd)
        now = metadata.stamp(datetime.now(UTC))
        conditions: list[Obj] = status.setdefault("conditions", [])
        if clash is None:
            status["acceptedNames"] = copy.deepcopy(crd["spec"]["names"])
            _set(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
            text = "the initial names have been accepted"
            _set(conditions, "Established", "True", "InitialNamesAccepted", text, now)
        else:
            _set(conditions, "NamesAccepted", "False", *clash, now)
            text = "not all names are accepted"
            _set(conditions, "Established", "False", "NotAccepted", text, now)
        if "deletionTimestamp" in crd["metadata"]:
            text = "CustomResource deletion is in progress"
            _set(conditions, "Terminating", "True", "InstanceDeletionInProgress", text, now)
        return status

    def _clash(self, crd: Obj) -> tuple[str, str] | None:
        """Reason and message when another resource of the group has one of the names."""
        spec = crd["spec"]
        kinds = {spec["names"]["kind"], spec["names"]["listKind"]}
        words = {spec["names"]["singular"], *(spec["names"].get("shortNames") or ())}
        for other in self._registry.catalog:
            if other.group != spec["group"] or other.plural == spec["names"]["plural"]:
                continue
            for kind in sorted(kinds & {other.kind, other.list_name}):
                return "KindConflict", f'"{kind}" is already in use'
            for word in sorted(words & {other.plural, other.singular_name, *other.short_names}):
                return "ShortNamesConflict", f'"{word}" is already in use'
        return None

    def _serve(self, crd: Obj) -> None:
        spec, listed = crd["spec"], crd["spec"]["names"]
        group, plural = spec["group"], listed["plural"]
        self._registry.catalog.remove(group, plural)
        storage = next(v["name"] for v in spec["versions"] if v.get("storage"))
        for version in spec["versions"]:
            if not version.get("served") and not version.get("storage"):
                continue
            resource = Resource(
                group, version["name"], plural, listed["kind"], spec["scope"] == "Namespaced",
                CustomKind(crd, version), singular=listed["singular"],
                short_names=tuple(listed.get("shortNames") or ()),
                categories=tuple(listed.get("categories") or ()),
                subresources=tuple(sorted(version.get("subresources") or ())),
                list_kind=listed["listKind"], storage_version=storage, scale=_scale(version),
                verbs=CUSTOM_VERBS,
            )  # fmt: skip
            self._registry.catalog.add(
                resource, storage=version["name"] == storage, served=bool(version.get("served"))
            )

    def _empty(self, crd: Obj) -> None:
        """Delete the objects; the CRD goes when the last one is gone."""
        resource = self._registry.catalog.named(_table(crd))
        self._registry.forget_hooks(resource.table)
        self._registry.on_write(resource.table, self._instance_changed)
        for key, _ in self._registry.table(resource).pairs():
            with contextlib.suppress(errors.ApiError):
                options = DeleteOptions("Background")
                self._registry.delete_item(resource, key.namespace, key.name, options)
        self._finish(resource)

    def _instance_changed(self, resource: Resource, _old: Obj | None, new: Obj | None) -> None:
        if new is None:
            self._finish(resource)

    def _finish(self, resource: Resource) -> None:
        live = self._registry.store.table(TABLE).get(Key("", resource.qualified))
        if live is None or len(self._registry.table(resource)):
            return
        meta = live.obj["metadata"]
        if "deletionTimestamp" not in meta or CLEANUP not in meta.get("finalizers", ()):
            return
        left = [f for f in meta["finalizers"] if f != CLEANUP]
        changed = {**live.obj, "metadata": {**meta, "finalizers": left}}
        self._registry.update(TABLE, None, changed, manager=_MANAGER)

    def _forget(self, crd: Obj) -> None:
        table = _table(crd)
        self._registry.catalog.remove(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        self._registry.store.drop(table)
        self._registry.forget_hooks(table)

    def _write_status(self, crd: Obj, status: Obj) -> None:
        changed = {**crd, "status": status}
        self._registry.update(TABLE, None, changed, manager=_MANAGER, subresource="status")


def _table(crd: Obj) -> str:
    return f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"


def _true(crd: Obj, kind: str) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def _set(
    conditions: list[Obj], kind: str, status: str, reason: str, message: str, now: str
) -> None:
    found = next((c for c in conditions if c["type"] == kind), None)
    new = {"type": kind, "status": status, "reason": reason, "message": message}
    if found is None:
        conditions.append({"lastTransitionTime": now, **new})
    elif any(found.get(field) != value for field, value in new.items()):
        if found["status"] != status:
            found["lastTransitionTime"] = now
        found.update(new)


def _scale(version: Obj) -> ScalePaths | None:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return None

    def parts(path: str) -> tuple[str, ...]:
        return tuple(path.lstrip(".").split("."))

    selector = scale.get("labelSelectorPath")
    return ScalePaths(
        parts(scale["specReplicasPath"]),
        parts(scale["statusReplicasPath"]),
        parts(selector) if selector else (),
    )
