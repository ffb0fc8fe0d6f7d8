"""Embedded resources (x-kubernetes-embedded-resource): they must name what they are."""

from __future__ import annotations

from typing import Any

from pawl.local.schema import causes, names
from pawl.local.schema.causes import Cause
from pawl.local.schema.prune import additional

Schema = dict[str, Any]


def embedded_resources(value: Any, schema: Schema | None, path: str = "") -> list[Cause]:
    """apiVersion and kind of every embedded resource below (not of) `value`."""
    if schema is None:
        return []
    found: list[Cause] = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        rest = additional(schema)
        for name, item in value.items():
            known = name in properties
            at = causes.child(path, name) if known else causes.key(path, name)
            found += _embedded(item, properties.get(name, rest), at)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            found += _embedded(item, schema.get("items"), causes.index(path, position))
    return found


def _embedded(value: Any, schema: Schema | None, path: str) -> list[Cause]:
    found: list[Cause] = []
    if schema and schema.get("x-kubernetes-embedded-resource") and isinstance(value, dict):
        for name, check in (("apiVersion", _api_version), ("kind", _kind)):
            place = causes.child(path, name)
            if name not in value:
                found.append(causes.required(place))
            elif not isinstance(value[name], str):
                found.append(causes.invalid(place, value[name], "must be a string"))
            elif not value[name]:
                found.append(causes.invalid(place, "", "must not be empty"))
            elif problem := check(value[name]):
                found.append(causes.invalid(place, value[name], problem))
    return found + embedded_resources(value, schema, path)


def _api_version(text: str) -> str:
    return f"unexpected GroupVersion string: {text}" if text.count("/") > 1 else ""


def _kind(text: str) -> str:
    problems = names.dns1035_label(text.lower())
    head = "may have mixed case, but should otherwise match: "
    return head + ",".join(problems) if problems else ""
