"""The behaviour that kinds share; each kind overrides what is special about it.

The order of a write is that of kube-apiserver: decode (prune, unknown fields), default, reset
what this endpoint cannot change, prepare, validate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pawl.local.api import names
from pawl.local.api.fieldselectors import Getter
from pawl.local.api.metadata import NameRule
from pawl.local.schema.causes import Cause

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
Schema = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a kind may look at while it prepares or checks a write. `mine`: what this write has
    allocated so far (to be given back if it fails)."""

    registry: Registry
    now: datetime
    dry_run: bool = False
    creating: bool = False
    mine: set[str] = field(default_factory=set)


def meta_getter(field: str) -> Getter:
    return lambda obj: str(obj["metadata"].get(field, ""))


class Kind:
    """`has_status`: /status exists, so the main endpoint cannot change status.
    `generation`: metadata.generation counts changes of the spec."""

    has_status = False
    generation = False
    name_rule: NameRule = staticmethod(names.dns_subdomain)
    returns_deleted = False  # DELETE answers with the object, not with a Status
    orphans_by_default = False
    graceful = False  # deletion tells a grace period, even if that is 0
    deletion_finalizers: tuple[str, ...] = ()  # which every deletion adds
    create_on_update = False  # PUT of what does not exist creates it
    needs_revision = False  # PUT must name the resourceVersion that it replaces
    strategic = False  # whether strategic merge patch is offered
    status_metadata: frozenset[str] = frozenset()  # what /status may change of the metadata

    def schema(self) -> Schema:
        """Structural schema or resolved built-in definition."""
        raise NotImplementedError

    def decode(self, obj: Obj) -> list[str]:
        """In place: drop unknown fields, bring values into their canonical form. The paths of
        the unknown fields."""
        raise NotImplementedError

    def type_error(self, obj: Obj) -> str | None:
        """Go's words for a value of the wrong type, when the kind is decoded into a Go type."""
        del obj
        return None

    def default(self, obj: Obj) -> None:
        """Fill in defaults, in place."""

    def check_schema(self, obj: Obj, old: Obj | None, subresource: str) -> list[Cause]:
        raise NotImplementedError

    def admit(self, context: Context, obj: Obj, old: Obj | None) -> None:
        """What admission plugins fill in or refuse (ApiError), before preparation."""

    def initial_status(self, obj: Obj) -> Obj | None:
        """The status of a new object; None: it has none."""
        del obj
        return None

    def prepare_create(self, context: Context, obj: Obj) -> None:
        """Changes of the strategy to a new object, whose metadata is complete."""

    def prepare_update(self, context: Context, obj: Obj, old: Obj) -> None:
        """Changes of the strategy to an update through the main endpoint."""

    def prepare_status(self, context: Context, obj: Obj, old: Obj) -> None:
        """Changes of the strategy to an update through /status."""

    def prepare_finalize(self, obj: Obj, old: Obj) -> None:
        """Changes of the strategy to an update through /finalize (namespaces)."""

    def validate(self, context: Context, obj: Obj) -> list[Cause]:
        """What is wrong with an object, new or changed."""
        del context, obj
        return []

    def validate_update(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        """What an update may not change (in addition to `validate`)."""
        del context, obj, old
        return []

    def validate_status(self, context: Context, obj: Obj, old: Obj) -> list[Cause]:
        del context, obj, old
        return []

    def warnings(self, obj: Obj, old: Obj | None) -> list[str]:
        """Advice for the client (Warning headers)."""
        del obj, old
        return []

    def undo_create(self, context: Context, obj: Obj) -> None:
        """Give back what `prepare_create` allocated, when the creation failed or was a dry run."""

    def deleted(self, context: Context, obj: Obj) -> None:
        """The object is gone: give back what it held."""

    def grace(self, obj: Obj, asked: int | None) -> int:
        """Seconds that a deletion waits for somebody else to finish it; 0: none."""
        del obj, asked
        return 0

    def lingers(self, obj: Obj) -> bool:
        """Whether something besides metadata.finalizers keeps a deleted object."""
        del obj
        return False

    def begin_deletion(self, obj: Obj) -> None:
        """What else changes in an object whose deletion waits."""

    def fields(self) -> dict[str, Getter]:
        """Selectable fields besides metadata.name and metadata.namespace."""
        return {}

    def selectable(self) -> dict[str, Getter]:
        common = {
            "metadata.name": meta_getter("name"),
            "metadata.namespace": meta_getter("namespace"),
        }
        return common | self.fields()

    def unknown_selector(self, path: str) -> str:
        """What the API server says of a field selector that the kind does not have."""
        if not self.fields():
            return (
                f'"{path}" is not a known field selector: only "metadata.name", '
                '"metadata.namespace"'
            )
        return f"field label not supported: {path}"

    def spec_of(self, obj: Obj) -> Any:
        """The part whose change is a new generation."""
        return obj.get("spec")
