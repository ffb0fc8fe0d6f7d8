"""Which old value belongs to a new one, for ratcheting and for oldSelf of transition rules."""

from __future__ import annotations

from typing import Any, Final

from pawl.local.schema.golang import same, to_json
from pawl.local.schema.prune import additional

Schema = dict[str, Any]


class _Nothing:
    """The type of NOTHING."""


NOTHING: Final = _Nothing()  # there is no old value to compare with


def at_key(new: Any, old: Any, name: str) -> Any:
    """The old value of a property or map entry."""
    if isinstance(new, dict) and isinstance(old, dict) and name in old:
        return old[name]
    return NOTHING


def at_item(item: Any, old: Any, schema: Schema) -> Any:
    """The old item with the same keys, in a list of type map; else nothing can be said."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return NOTHING
    wanted = identity(item, schema)
    found = [candidate for candidate in old if identity(candidate, schema) == wanted]
    return found[0] if found else NOTHING


def identity(item: Any, schema: Schema) -> str:
    """The values of the list-map keys of an item, as one comparable text."""
    names = schema.get("x-kubernetes-list-map-keys") or []
    source = item if isinstance(item, dict) else {}
    return to_json([source.get(name) for name in names])


def unchanged(new: Any, old: Any, schema: Schema | None) -> bool:
    """Deep equality in which the order of a list of type map does not count."""
    if old is NOTHING or schema is None:
        return old is not NOTHING and same(new, old)
    if isinstance(new, list) and isinstance(old, list):
        if len(new) != len(old):
            return False
        if schema.get("x-kubernetes-list-type") != "map":
            return same(new, old)
        return all(unchanged(item, at_item(item, old, schema), schema.get("items")) for item in new)
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return same(new, old)
    properties, rest = schema.get("properties", {}), additional(schema)
    return new.keys() == old.keys() and all(
        unchanged(item, old[name], properties.get(name, rest)) for name, item in new.items()
    )
