"""Creating and changing objects: the pipeline that every write goes through.

decode → default → reset what the endpoint cannot change → managed fields → admission → prepare →
validate → policies → store. Nothing is stored by a dry run, by a write that changes nothing, or by
one that fails at any step.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from pawl.local.api import deletion, errors, metadata
from pawl.local.api.admission.attempt import Attempt
from pawl.local.api.checks import (
    Options,
    check_namespace,
    check_revision,
    identify,
    reset_for_create,
    reset_for_update,
    same_but_times,
    strict_errors,
)
from pawl.local.api.kinds.base import Context
from pawl.local.api.resources import Resource
from pawl.local.api.scale import scale_of
from pawl.local.api.store import Item, Key
from pawl.local.patch import managed

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
# etcd --max-request-bytes: what a real cluster can store
MAX_OBJECT = 1536 * 1024


@dataclass
class Outcome:
    """What a write led to. `item` is stored, unless the write was a dry run."""

    item: Item
    created: bool = False
    warnings: list[str] = field(default_factory=list)


class Writer:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def context(self, options: Options, *, creating: bool = False) -> Context:
        return Context(self._registry, datetime.now(UTC), options.dry_run, creating)

    def create(
        self,
        resource: Resource,
        namespace: str | None,
        obj: Obj,
        options: Options,
        *,
        applied: bool = False,
    ) -> Outcome:
        """Store a new object. The pipeline owns `obj`. `applied`: managed fields are there."""
        warnings: list[str] = []
        identify(resource, namespace, obj)
        asked = resource
        versioned = not applied and bool(obj["metadata"].get("resourceVersion"))
        strict_errors(resource, obj, options, warnings)
        obj = self._stored_shape(resource, obj)
        resource = self._stored(resource)
        context = self.context(options, creating=True)
        obj = self._filled_in(context, resource, obj, options, applied=applied)
        key = Key(obj["metadata"].get("namespace", ""), obj["metadata"].get("name", ""))
        table = self._registry.store.table(resource.table)
        try:
            self._check_new(context, resource, obj)
            warnings += self._judge("CREATE", asked, obj, None, options)
            if versioned:
                text = "resourceVersion should not be set on objects to be created"
                raise errors.ApiError(500, "", text)
            there = table.get(key)
            if there is not None:
                ending = "deletionTimestamp" in there.obj["metadata"]
                raise errors.already_exists(resource.group, resource.plural, key.name, ending)
            self._keep_storable(resource, obj)
        except errors.ApiError:
            resource.behaviour.undo_create(context, obj)
            raise
        warnings += resource.behaviour.warnings(obj, None)
        if options.dry_run:
            resource.behaviour.undo_create(context, obj)
            return Outcome(_unstored(obj, 0), created=True, warnings=warnings)
        item = table.put(key, obj)
        self._registry.after_write(resource, None, item.obj)
        return Outcome(table.get(key) or item, created=True, warnings=warnings)

    def _filled_in(
        self, context: Context, resource: Resource, obj: Obj, options: Options, *, applied: bool
    ) -> Obj:
        """A new object with all that the server adds to it."""
        kind = resource.behaviour
        kind.default(obj)
        metadata.clean(obj["metadata"])
        self._check_namespace(resource, obj)
        reset_for_create(resource, obj)
        if not applied:
            obj = managed.update(
                None, obj, manager=options.manager, schema=kind.schema(), now=context.now
            )
        kind.admit(context, obj, None)
        meta = obj["metadata"]
        if "name" not in meta and meta.get("generateName"):
            meta["name"] = self._free_name(resource, meta)
        metadata.fill_for_create(meta, context.now)
        if kind.generation:
            meta["generation"] = 1
        else:
            meta.pop("generation", None)
        kind.prepare_create(context, obj)
        return obj

    def _check_new(self, context: Context, resource: Resource, obj: Obj) -> None:
        """ApiError 422."""
        kind, meta = resource.behaviour, obj["metadata"]
        found = metadata.validate(meta, namespaced=resource.namespaced, rule=kind.name_rule)
        found += dict.fromkeys([*kind.check_schema(obj, None, ""), *kind.validate(context, obj)])
        if found:
            raise errors.invalid(resource.group, resource.kind, meta.get("name", ""), found)

    def update(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        obj: Obj,
        options: Options,
        *,
        subresource: str = "",
        patched: bool = False,
        applied: bool = False,
    ) -> Outcome:
        """Replace an object, or with a `subresource` a part of it. The pipeline owns `obj`.
        `patched`: it was made from the stored object, so its uid is no precondition."""
        identify(resource, namespace, obj, name)
        asked = resource
        warnings: list[str] = []
        strict_errors(resource, obj, options, warnings)
        obj = self._stored_shape(resource, obj)
        resource = self._stored(resource)
        uid = "" if patched else obj["metadata"].get("uid", "")
        live = self._live(resource, namespace, name, uid)
        if live is None:
            return self.create(resource, namespace, obj, options, applied=applied)
        check_revision(resource, name, obj["metadata"], live.obj["metadata"])
        kind = resource.behaviour
        kind.default(obj)
        context = self.context(options)
        metadata.clean(obj["metadata"])
        obj = reset_for_update(resource, obj, live.obj, subresource)
        if not applied:
            obj = managed.update(
                live.obj, obj, manager=options.manager, schema=kind.schema(),
                subresource=subresource, now=context.now,
            )  # fmt: skip
        self._prepare(context, resource, obj, live.obj, subresource)
        # twice, as kube-apiserver does (generic and the kind's own): clients see two causes
        found = 2 * metadata.validate_update(obj["metadata"], live.obj["metadata"])
        of_kind = kind.check_schema(obj, live.obj, subresource)
        if subresource == "status":
            of_kind += kind.validate_status(context, obj, live.obj)
        else:
            of_kind += kind.validate(context, obj)
            of_kind += kind.validate_update(context, obj, live.obj)
        found += dict.fromkeys(of_kind)
        if found:
            raise errors.invalid(resource.group, resource.kind, name, found)
        warnings += kind.warnings(obj, live.obj)
        warnings += self._judge("UPDATE", asked, obj, live.obj, options, subresource)
        self._keep_storable(resource, obj)
        return self._commit(context, resource, obj, live, warnings)

    def _judge(
        self,
        operation: str,
        resource: Resource,
        obj: Obj,
        old: Obj | None,
        options: Options,
        subresource: str = "",
    ) -> list[str]:
        """What policies say of a write: warnings. ApiError 403, 413, 422."""
        if options.user is None or not self._registry.admission:
            return []
        meta = obj["metadata"]
        if subresource == "scale":
            obj, old = scale_of(resource, obj), scale_of(resource, old or obj)
        attempt = Attempt(
            operation, resource, subresource, meta.get("namespace", ""), meta["name"], obj, old,
            options.user, options.dry_run, options.sent,
        )  # fmt: skip
        return self._registry.admission.judge(attempt)

    def _prepare(
        self, context: Context, resource: Resource, obj: Obj, old: Obj, subresource: str
    ) -> None:
        kind = resource.behaviour
        if subresource == "status":
            kind.prepare_status(context, obj, old)
            return
        if subresource == "finalize":
            kind.prepare_finalize(obj, old)
            return
        kind.admit(context, obj, old)
        kind.prepare_update(context, obj, old)
        if kind.generation and kind.spec_of(obj) != kind.spec_of(old):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def _commit(
        self, context: Context, resource: Resource, obj: Obj, live: Item, warnings: list[str]
    ) -> Outcome:
        if same_but_times(obj, live.obj):
            return Outcome(live, warnings=warnings)
        if context.dry_run:
            return Outcome(_unstored(obj, live.revision), warnings=warnings)
        table = self._registry.store.table(resource.table)
        key = Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if deletion.ends_with_update(resource, obj):
            obj["metadata"]["resourceVersion"] = str(live.revision)
            deletion.finish(self._registry, resource, key, copy.deepcopy(live.obj))
            return Outcome(Item(obj, live.revision), warnings=warnings)
        item = table.put(key, obj)
        self._registry.after_write(resource, live.obj, item.obj)
        return Outcome(table.get(key) or item, warnings=warnings)

    def _live(self, resource: Resource, namespace: str | None, name: str, uid: str) -> Item | None:
        """The stored object; None where PUT may create it."""
        table = self._registry.store.table(resource.table)
        live = table.get(Key(namespace or "", name))
        if live is None:
            if resource.behaviour.create_on_update and not uid:
                return None
            raise errors.not_found(resource.group, resource.plural, name)
        actual = live.obj["metadata"]["uid"]
        if uid and uid != actual:
            group = resource.group if resource.storage_version else ""
            key = "/".join(filter(None, (group, resource.plural, namespace, name)))
            why = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
                f"UID in object meta: {actual}"
            )
            raise errors.conflict(resource.group, resource.plural, name, why)
        return live

    def _stored_shape(self, resource: Resource, obj: Obj) -> Obj:
        if resource.view is not None:
            obj = resource.view.inward(obj)
        elif resource.storage_version:
            obj["apiVersion"] = f"{resource.group}/{resource.storage_version}"
        return obj

    def _stored(self, resource: Resource) -> Resource:
        """The resource whose rules hold for what is stored."""
        return resource if resource.view is None else self._registry.catalog.named(resource.table)

    def _keep_storable(self, resource: Resource, obj: Obj) -> None:
        """What came as another version is stored as the storage version, and pruned by that.
        ApiError 500 for what would not fit into etcd."""
        if resource.storage_version not in ("", resource.version):
            self._registry.catalog.named(resource.table).behaviour.decode(obj)
        if len(orjson.dumps(obj)) > MAX_OBJECT:
            raise errors.ApiError(500, "", "etcdserver: request is too large")

    def _check_namespace(self, resource: Resource, obj: Obj) -> None:
        namespace = obj["metadata"].get("namespace", "")
        if resource.namespaced and namespace:
            live = self._registry.store.table("namespaces").get(Key("", namespace))
            check_namespace(resource, obj["metadata"], live.obj if live is not None else None)

    def _free_name(self, resource: Resource, meta: Obj) -> str:
        """A generated name; tried again when it is taken, as kube-apiserver does since 1.30."""
        table = self._registry.store.table(resource.table)
        name = ""
        for _ in range(8):
            name = metadata.generate_name(meta["generateName"])
            if table.get(Key(meta.get("namespace", ""), name)) is None:
                break
        return name


def _unstored(obj: Obj, revision: int) -> Item:
    if revision:
        obj["metadata"]["resourceVersion"] = str(revision)
    return Item(obj, revision)
