"""A structural schema (apiextensions.k8s.io/v1): the one object through which api/ prunes,
defaults and validates custom resources."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import prune, validate
from pawl.local.schema.causes import Cause
from pawl.local.schema.listtype import duplicate_items
from pawl.local.schema.metadata import embedded_resources

__all__ = ["Cause", "Structural"]


class Structural:
    """One version's `schema.openAPIV3Schema`. Immutable; rules are compiled on first use."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def prune(self, obj: dict[str, Any]) -> list[str]:
        """Remove unknown fields and forbidden nulls in place; the paths of the unknown fields
        (`spec.foo`), sorted, for `unknown field "spec.foo"` warnings and errors."""
        removed = prune.prune(obj, self.schema)
        prune.drop_nulls(obj, self.schema)
        return removed

    def default(self, obj: dict[str, Any]) -> None:
        """Fill in defaults in place (after prune)."""
        prune.default(obj, self.schema)

    def validate(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[Cause]:
        """All that is wrong with a (pruned, defaulted) object. With `old`, errors in unchanged
        parts are forgiven (ratcheting) and transition rules run."""
        found = validate.against_schema(obj, self.schema, old)
        found += embedded_resources(obj, self.schema)
        if old is None or not duplicate_items(old, self.schema):
            found += duplicate_items(obj, self.schema)
        return found

    def validate_status(self, obj: dict[str, Any], old: dict[str, Any] | None) -> list[Cause]:
        """Validation of an update through /status: only `status` is checked against the schema,
        list types and rules see the whole object."""
        sub = self.schema.get("properties", {}).get("status")
        found: list[Cause] = []
        if "status" in obj and sub is not None:
            found = validate.against_schema(
                obj["status"], sub, (old or {}).get("status"), prefix="status"
            )
        if old is None or not duplicate_items(old, self.schema):
            found += duplicate_items(obj, self.schema)
        return found
