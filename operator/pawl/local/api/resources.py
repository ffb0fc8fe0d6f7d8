"""What the API serves: one `Resource` per group, version and plural, and the catalog of all.

Registries name a resource by a string: `pods`, `apps/deployments`, `pawl.dev/trainingjobs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pawl.local.api import errors

if TYPE_CHECKING:
    from pawl.local.api.kinds.base import Kind

Obj = dict[str, Any]
CUSTOM_VERBS = (
    "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch",
)  # fmt: skip
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class View:
    """Another shape of the objects of `table`."""

    table: str
    inward: Callable[[Obj], Obj]  # from this shape to what is stored
    outward: Callable[[Obj], Obj]


@dataclass(frozen=True)
class ScalePaths:
    """Where the scale subresource finds its numbers: field paths like ("spec", "replicas")."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] | None = None  # of a string; None: spec.selector, a LabelSelector;
    # (): there is none


@dataclass(frozen=True, eq=False)
class Resource:
    """One served resource. `table` names its storage, which versions of it share."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    behaviour: Kind
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    list_kind: str = ""
    storage_version: str = ""
    view: View | None = None  # of a table that another resource owns
    scale: ScalePaths | None = None

    @property
    def table(self) -> str:
        if self.view is not None:
            return self.view.table
        return f"{self.group}/{self.plural}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return group_version(self.group, self.version)

    @property
    def qualified(self) -> str:
        """`deployments.apps`."""
        return errors.qualified(self.group, self.plural)

    def shaped(self, obj: Obj) -> Obj:
        """The stored object as this resource shows it. Consumes `obj`'s top level."""
        if self.view is not None:
            return self.view.outward(obj)
        if self.storage_version and self.storage_version != self.version:
            return {**obj, "apiVersion": self.api_version}
        return obj

    @property
    def list_name(self) -> str:
        return self.list_kind or f"{self.kind}List"

    @property
    def singular_name(self) -> str:
        return self.singular or self.kind.lower()


def group_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def split_api_version(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


class Catalog:
    """All resources that are served now. CRDs come and go."""

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        self._storage: dict[str, Resource] = {}
        self._kinds: dict[tuple[str, str, str], Resource] = {}
        self.revision = 0  # grows with every change; caches of discovery documents use it

    def add(self, resource: Resource, *, storage: bool = True, served: bool = True) -> None:
        """`storage`: this version is the one that the registry's string names."""
        if served:
            self._served[resource.group, resource.version, resource.plural] = resource
            self._kinds[resource.group, resource.version, resource.kind] = resource
        if storage:
            self._storage[resource.table] = resource
        self.revision += 1

    def remove(self, group: str, plural: str) -> None:
        for key in [k for k in self._served if (k[0], k[2]) == (group, plural)]:
            gone = self._served.pop(key)
            self._kinds.pop((gone.group, gone.version, gone.kind), None)
        self._storage.pop(f"{group}/{plural}", None)
        self.revision += 1

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._served.values())

    def served(self, group: str, version: str, plural: str) -> Resource | None:
        return self._served.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        group, version = split_api_version(api_version)
        return self._kinds.get((group, version, kind))

    def named(self, table: str) -> Resource:
        """The resource that a registry's string names. ApiError 404 if there is none."""
        found = self._storage.get(table)
        if found is None:
            raise errors.no_such_path()
        return found

    def stored(self) -> list[Resource]:
        """One resource for each table."""
        return list(self._storage.values())
