"""What a planner may ask for, and the shell that does it through the registry.

A planner returns changes in the order in which they must happen. The registry is in memory and
synchronous, so nothing can slip between observing, planning and applying; a change that fails
leaves the rest undone, and the key is tried again.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.controllers.objects import Key, Obj, key_of, uid

EVERYTHING = "*"  # among the resources that a controller watches: all that are served

PatchKind = Literal["merge", "json", "strategic", "apply"]


@dataclass(frozen=True)
class Create:
    """Create `obj`. With `owner`, its success or failure is told in an event on the owner."""

    resource: str
    namespace: str
    obj: Obj
    owner: Obj | None = None


@dataclass(frozen=True)
class Delete:
    """Delete the very object that was observed (uid precondition); gone already is fine."""

    resource: str
    obj: Obj
    owner: Obj | None = None
    propagation: str | None = None


@dataclass(frozen=True)
class Patch:
    """Patch the object that was observed; gone already is fine."""

    resource: str
    obj: Obj
    body: Any
    kind: PatchKind = "merge"
    subresource: str = ""


@dataclass(frozen=True)
class SetStatus:
    """Replace the whole status."""

    resource: str
    obj: Obj
    status: Mapping[str, Any]


@dataclass(frozen=True)
class Emit:
    """An event. `type` is Normal or Warning."""

    regarding: Obj
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Change = Create | Delete | Patch | SetStatus | Emit


@dataclass(frozen=True)
class Plan:
    """What to do now, and in how many seconds to look again (None: when something changes)."""

    changes: tuple[Change, ...] = ()
    requeue_after: float | None = None


@dataclass(frozen=True)
class Shell:
    """Does changes in the name of one controller (`component`, e.g. job-controller)."""

    registry: Registry
    component: str
    manager: str = field(default="kube-controller-manager")

    def find(self, resource: str, key: Key) -> Obj | None:
        try:
            return self.registry.get(resource, key.namespace or None, key.name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Create():
                    self._create(change)
                case Delete():
                    self._delete(change)
                case Patch():
                    self._patch(change)
                case SetStatus():
                    self._set_status(change)
                case Emit():
                    self.emit(change.regarding, change.type, change.reason, change.message)

    def emit(self, regarding: Obj, type: str, reason: str, message: str) -> None:
        self.registry.event(
            regarding, type=type, reason=reason, message=message, component=self.component
        )

    def _tell(self, change: Create | Delete, type: str, reason: str, message: str) -> None:
        """An event of the owner, where somebody is to be told."""
        if change.owner is not None:
            self.emit(change.owner, type, reason, message)

    def _create(self, change: Create) -> None:
        try:
            made = self.registry.create(
                change.resource, change.namespace or None, change.obj, manager=self.manager
            )
        except ApiError as error:
            if namespace_terminating(error):
                return
            self._tell(change, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        kind = made.get("kind", "object").lower()
        message = f"Created {kind}: {key_of(made).name}"
        self._tell(change, "Normal", "SuccessfulCreate", message)

    def _delete(self, change: Delete) -> None:
        where = key_of(change.obj)
        try:
            self.registry.delete(
                change.resource,
                where.namespace or None,
                where.name,
                manager=self.manager,
                propagation=change.propagation,
                uid=uid(change.obj),
            )
        except ApiError as error:
            # 409 is the uid precondition: another object has the name now
            if error.code in {404, 409}:
                return
            self._tell(change, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        kind = change.obj.get("kind", "pod").lower()
        self._tell(change, "Normal", "SuccessfulDelete", f"Deleted {kind}: {where.name}")

    def _patch(self, change: Patch) -> None:
        where = key_of(change.obj)
        try:
            self.registry.patch(
                change.resource,
                where.namespace or None,
                where.name,
                change.body,
                kind=change.kind,
                manager=self.manager,
                subresource=change.subresource,
            )
        except ApiError as error:
            if error.code != 404:
                raise

    def _set_status(self, change: SetStatus) -> None:
        live = self.find(change.resource, key_of(change.obj))
        if live is None or uid(live) != uid(change.obj):
            return
        new = {**live, "status": deepcopy(dict(change.status))}
        self.registry.update(
            change.resource,
            key_of(live).namespace or None,
            new,
            manager=self.manager,
            subresource="status",
        )


def namespace_terminating(error: ApiError) -> bool:
    """Whether a creation was refused because its namespace goes away: nothing is left to do."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
