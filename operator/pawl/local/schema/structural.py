"""A structural schema (apiextensions.k8s.io/v1): the one object through which api/ prunes,
defaults and validates custom resources."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import causes, prune, rules, validate
from pawl.local.schema.causes import Cause
from pawl.local.schema.crd import check_crd
from pawl.local.schema.listtype import duplicate_items
from pawl.local.schema.metadata import embedded_resources

__all__ = ["Cause", "Structural", "check_crd"]

# Errors after which rules are not run: a rule may rely on what they deny.
_BLOCKING = frozenset(
    {
        causes.NOT_SUPPORTED,
        causes.REQUIRED,
        causes.TOO_LONG,
        causes.TOO_MANY,
        causes.TYPE_INVALID,
    }
)
_BLOCKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


class Structural:
    """One version's `schema.openAPIV3Schema`. Immutable; rules are compiled on first use."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._rules: rules.Node | None = None

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
        return self._with_whole(found, obj, old)

    def validate_status(self, obj: dict[str, Any], old: dict[str, Any] | None) -> list[Cause]:
        """Validation of an update through /status: only `status` is checked against the schema,
        list types and rules see the whole object."""
        sub = self.schema.get("properties", {}).get("status")
        found: list[Cause] = []
        if "status" in obj and sub is not None:
            found = validate.against_schema(
                obj["status"], sub, (old or {}).get("status"), prefix="status"
            )
        return self._with_whole(found, obj, old)

    def _with_whole(
        self, found: list[Cause], obj: dict[str, Any], old: dict[str, Any] | None
    ) -> list[Cause]:
        """List types and rules look at the whole object, rules only at one that is sound."""
        if old is None or not duplicate_items(old, self.schema):
            found += duplicate_items(obj, self.schema)
        compiled = self._compiled()
        if compiled is None:
            return found
        if any(cause.reason in _BLOCKING for cause in found):
            return [*found, causes.invalid("", None, _BLOCKED)]
        return found + rules.evaluate(compiled, obj, old)

    def _compiled(self) -> rules.Node | None:
        if self._rules is None and rules.has_rules(self.schema):
            self._rules = rules.compile_tree(self.schema)
        return self._rules
