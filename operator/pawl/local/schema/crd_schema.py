"""Is the schema of a CRD acceptable: structural, complete, with defaults that validate and rules
that compile?"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pawl.local.schema import causes, cel, golang, prune, rules, validate
from pawl.local.schema.causes import Cause
from pawl.local.schema.crd_keywords import (
    Place,
    has_unsupported,
    keywords,
    list_and_map_types,
)
from pawl.local.schema.crd_rules import check_rule, rule_texts
from pawl.local.schema.crd_structure import structural
from pawl.local.schema.rule_types import with_meta

Schema = dict[str, Any]
_META = frozenset({"metadata", "kind", "apiVersion"})
# With a status subresource the status is validated by properties["status"] alone, so what holds
# for the object as a whole must not be said in words that would be lost.
_NOT_AT_ROOT = (
    "default", "enum", "maxProperties", "minProperties", "allOf", "oneOf", "anyOf", "not",
    "additionalProperties", "nullable", "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type",
    "x-kubernetes-map-type",
)  # fmt: skip
_AT_ROOT = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength "
    "MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties "
    "ExternalDocs Example XPreserveUnknownFields XValidations]"
)


def check_schema(schema: Schema, path: str, *, status: bool) -> list[Cause]:
    """All that is wrong with one openAPIV3Schema; `path` is where it stands, `status` whether the
    status subresource is on."""
    found: list[Cause] = []
    if status and any(schema.get(key) not in (None, False, [], {}) for key in _NOT_AT_ROOT):
        detail = (
            f"only {_AT_ROOT} fields are allowed at the root of the schema if the status "
            "subresource is enabled"
        )
        found.append(causes.invalid(path, schema, detail))
    if schema.get("nullable"):
        found.append(causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    if status and schema.get("type", "object") != "object":
        detail = (
            'only "object" is allowed as the type at the root of the schema if the status '
            "subresource is enabled"
        )
        found.append(causes.invalid(f"{path}.type", schema["type"], detail))
    problems: list[Cause] = []
    if not has_unsupported(schema):  # else it is not looked at as a structural schema
        problems = structural(schema, path) or list(check_defaults(schema, path))
    place = Place(path, root=True, compile=not problems)
    spoken, compiled = _openapi(schema, with_meta(schema), place)
    return found + problems + spoken + compiled


Found = tuple[list[Cause], list[Cause]]  # about the schema, about its rules


def _openapi(schema: Schema, spine: Schema | None, place: Place) -> Found:
    """`spine` is the same node with the types that rules see; None inside anyOf and its like."""
    found = list(keywords(schema, place))
    compiled: list[Cause] = []
    for sub, sub_spine, inner in _children(schema, spine, place):
        below = _openapi(sub, sub_spine, inner)
        found += below[0]
        compiled += below[1]
    found += list_and_map_types(schema, place.path)
    wanted = schema.get("x-kubernetes-validations") or []
    for at, rule in enumerate(wanted):
        found += rule_texts(rule, schema, f"{place.path}.x-kubernetes-validations[{at}]")
    if wanted and not found and place.compile and spine is not None:
        for at, rule in enumerate(wanted):
            compiled += check_rule(
                rule, spine, f"{place.path}.x-kubernetes-validations[{at}]", place.no_old
            )
    return found, compiled


def _children(
    schema: Schema, spine: Schema | None, place: Place
) -> Iterator[tuple[Schema, Schema | None, Place]]:
    spine_fields = (spine or {}).get("properties", {})
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        reason = "inside additionalProperties applying to object metadata"
        inner = place.below(".additionalProperties",
                            no_defaults=reason if place.in_meta else place.no_defaults)  # fmt: skip
        yield rest, rest if spine is not None else None, inner
    for name, sub in schema.get("properties", {}).items():
        changes: dict[str, Any] = {}
        if (place.root or schema.get("x-kubernetes-embedded-resource")) and name in _META:
            changes["in_meta"] = True
            if place.root:
                changes["no_defaults"] = f"in top-level {name}"
        inner = place.below(f".properties[{name}]", **changes)
        embedded = sub.get("x-kubernetes-embedded-resource")
        shown = with_meta(sub) if embedded else spine_fields.get(name, sub)
        yield sub, shown if spine is not None else None, inner
    for key in ("allOf", "oneOf", "anyOf"):
        for at, sub in enumerate(schema.get(key) or ()):
            yield sub, None, place.below(f".{key}[{at}]")
    if schema.get("not") is not None:
        yield schema["not"], None, place.below(".not")
    if isinstance(schema.get("items"), dict):
        correlates = schema.get("x-kubernetes-list-type") == "map"
        no_old = place.no_old if correlates else (place.no_old or place.path)
        inner = place.below(".items", no_old=no_old)
        yield schema["items"], schema["items"] if spine is not None else None, inner


def check_defaults(schema: Schema, path: str) -> Iterator[Cause]:
    """Every default must be pruned and valid."""
    if schema.get("default") is not None:
        value, place = schema["default"], f"{path}.default"
        pruned = copy.deepcopy(value)
        if isinstance(pruned, dict | list):
            prune.prune_value(pruned, schema)
        if not golang.same(pruned, value):
            yield causes.invalid(place, value, "must not have unknown fields")
        found = validate.against_schema(value, schema, prefix=place)
        yield from found
        if not found and rules.has_rules(schema):
            try:
                node = rules.compile_tree(schema, root=False)
            except (cel.CompileError, ValueError):
                return  # told at the rule
            for cause in rules.evaluate(node, value):
                yield replace(cause, field=causes.child(place, cause.field.replace("<nil>", "")))
    if isinstance(schema.get("items"), dict):
        yield from check_defaults(schema["items"], f"{path}.items")
    for name, sub in schema.get("properties", {}).items():
        yield from check_defaults(sub, f"{path}.properties[{name}]")
