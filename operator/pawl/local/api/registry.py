"""The API machinery without a transport: what controllers, the node and the HTTP layer call.

Synchronous, on the event loop's thread. Resources are named by a string: `pods`,
`apps/deployments`, `pawl.dev/trainingjobs`. Objects that are returned are shared snapshots:
nobody changes them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

from pawl.local.api import deletion, errors, fieldselectors, selectors
from pawl.local.api.addresses import DEFAULT_NETWORK, AddressPool
from pawl.local.api.admission import Admission
from pawl.local.api.builtins import builtin_resources
from pawl.local.api.checks import Options
from pawl.local.api.custom import CustomResources
from pawl.local.api.deletion import Deleted, DeleteOptions
from pawl.local.api.patching import PatchKind, apply_patch
from pawl.local.api.rbac import Rights
from pawl.local.api.recorder import Recorder
from pawl.local.api.resources import Catalog, Resource
from pawl.local.api.selectors import Filter
from pawl.local.api.store import WINDOW, Item, Key, Store, Table
from pawl.local.api.users import component
from pawl.local.api.watch import Watch
from pawl.local.api.write import Outcome, Writer

Obj = dict[str, Any]
Owned = list[tuple[str, Obj]]
Hook = Callable[[Resource, Obj | None, Obj | None], None]


class Registry:
    """Built-in kinds are served from the start; `bootstrap.populate` adds the first objects."""

    def __init__(self, *, services: IPv4Network = DEFAULT_NETWORK, window: int = WINDOW) -> None:
        self.store = Store(window)
        self.catalog = Catalog()
        self.addresses = AddressPool(services)
        self._writer = Writer(self)
        self._recorder = Recorder(self.store)
        self._hooks: dict[str, list[Hook]] = {}
        for resource in builtin_resources(self.addresses):
            self.catalog.add(resource, storage=resource.view is None)
        self.custom = CustomResources(self)
        self.rights = Rights(self)
        self.admission = Admission(self)

    # What controllers and the node use (seam 2)

    def get(self, resource: str, namespace: str | None, name: str) -> Obj:
        return self.item(self.catalog.named(resource), namespace, name).obj

    def list(
        self, resource: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Obj]:
        found = self.catalog.named(resource)
        wanted = build_filter(found, labels, fields)
        objs = (item.obj for item in self.store.table(found.table).items(namespace or ""))
        return [obj for obj in objs if wanted is None or wanted(obj)]

    def create(self, resource: str, namespace: str | None, obj: Obj, *, manager: str) -> Obj:
        found = self.catalog.named(resource)
        options = _options(manager)
        return self.create_item(found, namespace, copy.deepcopy(obj), options).item.obj

    def update(
        self,
        resource: str,
        namespace: str | None,
        obj: Obj,
        *,
        manager: str,
        subresource: str = "",
    ) -> Obj:
        name = str(obj["metadata"]["name"])
        outcome = self._writer.update(
            self.catalog.named(resource), namespace, name, copy.deepcopy(obj), _options(manager),
            subresource=subresource,
        )  # fmt: skip
        return outcome.item.obj

    def patch(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        body: Any,
        *,
        kind: PatchKind,
        manager: str,
        subresource: str = "",
        force: bool = False,
    ) -> Obj:
        outcome = self.patch_item(
            self.catalog.named(resource), namespace, name, body,
            _options(manager, force=force), kind=kind, subresource=subresource,
        )  # fmt: skip
        return outcome.item.obj

    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        *,
        manager: str,
        propagation: str | None = None,
        grace_period: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Obj:
        """The last state of the object, or (finalizers, grace period) its state on the way."""
        options = DeleteOptions(
            propagation, grace_period, uid, resource_version, user=component(manager)
        )
        return self.delete_item(self.catalog.named(resource), namespace, name, options).item.obj

    def watch(
        self,
        resource: str,
        *,
        namespace: str | None = None,
        since: str | None = None,
        labels: str = "",
        fields: str = "",
    ) -> Watch:
        """Changes from now on, or after the resourceVersion `since`. ApiError 410."""
        found = self.catalog.named(resource)
        wanted = build_filter(found, labels, fields)
        watch = Watch(self.store.table(found.table), namespace or "", wanted)
        if since is not None:
            try:
                watch.replay(int(since))
            except errors.ApiError:
                watch.close()
                raise
        return watch

    def event(
        self, regarding: Obj, *, type: str, reason: str, message: str, component: str
    ) -> None:
        """A core/v1 Event, counted when it repeats."""
        self._recorder.record(
            regarding, type=type, reason=reason, message=message, component=component,
            now=datetime.now(UTC),
        )  # fmt: skip

    def owned(self, uid: str) -> Owned:
        """Objects with an ownerReference to `uid`, with the names of their resources."""
        return [(table, item.obj) for table, item in self.store.owned(uid)]

    # What the HTTP layer uses: the same with all options

    def item(self, resource: Resource, namespace: str | None, name: str) -> Item:
        found = self.table(resource).get(Key(namespace or "", name))
        if found is None:
            raise errors.not_found(resource.group, resource.plural, name)
        return found

    def table(self, resource: Resource) -> Table:
        return self.store.table(resource.table)

    def create_item(
        self, resource: Resource, namespace: str | None, obj: Obj, options: Options
    ) -> Outcome:
        return self._writer.create(resource, namespace, obj, options)

    def update_item(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        obj: Obj,
        options: Options,
        *,
        subresource: str = "",
    ) -> Outcome:
        return self._writer.update(resource, namespace, name, obj, options, subresource=subresource)

    def patch_item(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        options: Options,
        *,
        kind: PatchKind,
        subresource: str = "",
    ) -> Outcome:
        return apply_patch(
            self, self._writer, resource, namespace, name, body, options,
            kind=kind, subresource=subresource,
        )  # fmt: skip

    def delete_item(
        self, resource: Resource, namespace: str | None, name: str, options: DeleteOptions
    ) -> Deleted:
        return deletion.delete(self, resource, namespace, name, options)

    # Hooks: what must happen in the same moment as a write (CRDs make resources, …)

    def on_write(self, table: str, hook: Hook) -> None:
        """`hook(resource, old, new)` after every write to `table`; new is None for a deletion."""
        self._hooks.setdefault(table, []).append(hook)

    def forget_hooks(self, table: str) -> None:
        self._hooks.pop(table, None)

    def after_write(self, resource: Resource, old: Obj | None, new: Obj) -> None:
        for hook in tuple(self._hooks.get(resource.table, ())):
            hook(resource, old, new)

    def after_delete(self, resource: Resource, old: Obj) -> None:
        for hook in tuple(self._hooks.get(resource.table, ())):
            hook(resource, old, None)


def _options(manager: str, *, force: bool = False) -> Options:
    return Options(manager, force=force, user=component(manager))


def build_filter(resource: Resource, labels: str, fields: str) -> Filter | None:
    """A filter of stored objects. ApiError 400 for selectors that cannot be read."""
    if not labels and not fields:
        return None
    try:
        requirements = selectors.parse(labels)
        terms = fieldselectors.parse(fields)
    except selectors.SelectorError as error:
        raise errors.bad_request(str(error)) from None
    getters = resource.behaviour.selectable()
    for term in terms:
        if term.path not in getters:
            raise errors.bad_request(resource.behaviour.unknown_selector(term.path))
    by_fields = fieldselectors.compile(terms, getters) if terms else None

    def wanted(obj: Obj) -> bool:
        if requirements and not selectors.matches(
            requirements, obj["metadata"].get("labels") or {}
        ):
            return False
        return by_fields is None or by_fields(obj)

    return wanted
