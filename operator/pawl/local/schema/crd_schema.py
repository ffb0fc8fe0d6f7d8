"""Is the schema of a CRD acceptable: structural, complete, with defaults that validate and rules
that compile?"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pawl.local.schema import causes, cel, golang, prune, rules, validate
from pawl.local.schema.causes import Cause
from pawl.local.schema.cel.celtypes import BOOL, STRING
from pawl.local.schema.crd_structure import structural
from pawl.local.schema.rule_types import declared, with_meta

Schema = dict[str, Any]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_REASONS = (causes.DUPLICATE, causes.FORBIDDEN, causes.INVALID, causes.REQUIRED)
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
    if not _has_unsupported(schema):  # else it is not looked at as a structural schema
        problems = structural(schema, path) or list(check_defaults(schema, path))
    place = _Place(path, root=True, compile=not problems)
    spoken, compiled = _openapi(schema, with_meta(schema), place)
    return found + problems + spoken + compiled


def _has_unsupported(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_has_unsupported, schema))
    if not isinstance(schema, dict):
        return False
    if any(schema.get(key) for key in _UNSUPPORTED):
        return True
    below = [schema.get(key) for key in ("items", "additionalProperties", "not")]
    below += [schema.get(key) for key in ("allOf", "anyOf", "oneOf")]
    return any(map(_has_unsupported, [*below, *schema.get("properties", {}).values()]))


@dataclass(frozen=True)
class _Place:
    """Where in a schema we are."""

    path: str
    root: bool = False
    compile: bool = True  # rules are compiled only in schemas that are fine otherwise
    no_defaults: str = ""  # why defaults are not allowed here
    no_old: str = ""  # the list or map inside which old values cannot be found
    in_meta: bool = False

    def below(self, step: str, **changes: Any) -> _Place:
        return replace(self, path=f"{self.path}{step}", root=False, **changes)


Found = tuple[list[Cause], list[Cause]]  # about the schema, about its rules


def _openapi(schema: Schema, spine: Schema | None, place: _Place) -> Found:
    """`spine` is the same node with the types that rules see; None inside anyOf and its like."""
    found = list(_keywords(schema, place))
    compiled: list[Cause] = []
    for sub, sub_spine, inner in _children(schema, spine, place):
        below = _openapi(sub, sub_spine, inner)
        found += below[0]
        compiled += below[1]
    found += _list_and_map_types(schema, place.path)
    wanted = schema.get("x-kubernetes-validations") or []
    for at, rule in enumerate(wanted):
        found += _rule_texts(rule, schema, f"{place.path}.x-kubernetes-validations[{at}]")
    if wanted and not found and place.compile and spine is not None:
        for at, rule in enumerate(wanted):
            compiled += check_rule(
                rule, spine, f"{place.path}.x-kubernetes-validations[{at}]", place.no_old
            )
    return found, compiled


def _children(
    schema: Schema, spine: Schema | None, place: _Place
) -> Iterator[tuple[Schema, Schema | None, _Place]]:
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


def _keywords(schema: Schema, place: _Place) -> Iterator[Cause]:
    path, kind = place.path, schema.get("type", "")
    if kind == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        yield causes.forbidden(f"{path}.type", detail)
    if kind and kind not in _TYPES:
        yield causes.not_supported(f"{path}.type", kind, _TYPES)
    if "default" in schema and place.no_defaults:
        yield causes.forbidden(f"{path}.default", f"must not be set {place.no_defaults}")
    for key in _UNSUPPORTED:
        if schema.get(key):
            yield causes.forbidden(f"{path}.{key}", f"{key} is not supported")
    if isinstance(schema.get("items"), list):
        detail = "items must be a schema object and not an array"
        yield causes.forbidden(f"{path}.items", detail)
    if place.in_meta and schema.get("x-kubernetes-embedded-resource"):
        detail = "must not be used inside of resource meta"
        yield causes.forbidden(f"{path}.x-kubernetes-embedded-resource", detail)
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield causes.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("properties") and schema.get("additionalProperties") not in (None, True):
        detail = "additionalProperties and properties are mutual exclusive"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        place_of = f"{path}.x-kubernetes-preserve-unknown-fields"
        yield causes.invalid(place_of, False, "must be true or undefined")


def _list_and_map_types(schema: Schema, path: str) -> Iterator[Cause]:
    kind = schema.get("type", "")
    for key, wanted, allowed in (
        ("x-kubernetes-map-type", "object", ("atomic", "granular")),
        ("x-kubernetes-list-type", "array", ("atomic", "map", "set")),
    ):
        value = schema.get(key)
        if value is None:
            continue
        if kind != wanted:
            detail = f"must be {wanted} if {key} is specified"
            at = f"{path}.type"
            yield causes.invalid(at, kind, detail) if kind else causes.required(at, detail)
        if value not in allowed:
            order = allowed if key == "x-kubernetes-map-type" else ("atomic", "set", "map")
            yield causes.not_supported(f"{path}.{key}", value, order)
    items = schema.get("items") if isinstance(schema.get("items"), dict) else None
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        at = f"{path}.x-kubernetes-list-type"
        yield causes.invalid(at, list_type, detail) if list_type else causes.required(at, detail)
    if list_type in ("set", "map") and items and items.get("nullable"):
        detail = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        yield causes.forbidden(f"{path}.items.nullable", detail)
    if list_type == "set" and items:
        yield from _set_items(items, f"{path}.items")
    if list_type == "map":
        yield from _map_keys(schema, items, keys or [], path)


def _set_items(items: Schema, path: str) -> Iterator[Cause]:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        at = f"{path}.x-kubernetes-list-type"
        yield causes.invalid(at, items["x-kubernetes-list-type"], detail)
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        at = f"{path}.x-kubernetes-map-type"
        yield causes.invalid(at, items.get("x-kubernetes-list-type"), detail)


def _map_keys(schema: Schema, items: Schema | None, keys: list[str], path: str) -> Iterator[Cause]:
    at = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield causes.required(at, "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        detail = "must have a schema if x-kubernetes-list-type is map"
        yield causes.required(f"{path}.items", detail)
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield causes.invalid(f"{path}.items.type", items.get("type", ""), detail)
        return
    if len(set(keys)) < len(keys):
        yield causes.invalid(at, keys, "must not contain duplicate entries")
    for key in keys:
        sub = items.get("properties", {}).get(key)
        place = f"{path}.items.properties[{key}]"
        if sub is None:
            yield causes.invalid(at, keys, "entries must all be names of item properties")
            continue
        if sub.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield causes.invalid(f"{place}.type", items.get("type"), detail)
        head = "this property is in x-kubernetes-list-map-keys, so it"
        if key not in items.get("required", ()) and "default" not in sub:
            detail = f"{head} must have a default or be a required property"
            yield causes.required(f"{place}.default", detail)
        if sub.get("nullable"):
            yield causes.forbidden(f"{place}.nullable", f"{head} cannot be nullable")


def _rule_texts(rule: dict[str, Any], schema: Schema, path: str) -> Iterator[Cause]:
    """What a rule says besides its expression."""
    text, message = rule.get("rule", "").strip(), rule.get("message", "")
    if not text:
        yield causes.required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield causes.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _has_newlines(message.strip()):
        yield causes.invalid(f"{path}.message", message, "must not contain line breaks")
    elif _has_newlines(text) and not message.strip():
        detail = "message must be specified if rule contains line breaks"
        yield causes.required(f"{path}.message", detail)
    expression = rule.get("messageExpression", "")
    if expression and not expression.strip():
        detail = "messageExpression must be non-empty if specified"
        yield causes.required(f"{path}.messageExpression", detail)
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        yield causes.not_supported(f"{path}.reason", rule["reason"], _REASONS)
    where = rule.get("fieldPath", "")
    if where and not where.strip():
        yield causes.invalid(f"{path}.fieldPath", where, "must be non-empty if specified")
    elif where:
        try:
            rules.field_path(where, schema)
        except ValueError:
            yield causes.invalid(f"{path}.fieldPath", where, "must be a valid path")


def _has_newlines(text: str) -> bool:
    return "\n" in text or "\r" in text


def check_rule(rule: dict[str, Any], schema: Schema, path: str, no_old: str) -> Iterator[Cause]:
    """Does a rule compile against the schema node it belongs to?"""
    kind = declared(schema)
    if kind is None:
        detail = "internal error: failed to retrieve type information for x-kubernetes-validations"
        yield Cause("InternalError", f"Internal error: {detail}", path.rpartition("[")[0])
        return
    mentions_old = False
    for key, wanted, noun in (
        ("rule", BOOL, ""),
        ("messageExpression", STRING, "messageExpression "),
    ):
        if not rule.get(key):
            continue
        try:
            tree = rules.checked(rule[key], kind, rule, wanted)
        except cel.CompileError as error:
            detail = f"{noun}compilation failed: {error}"
            yield _bad_rule(rule, f"{path}.{key}", detail)
            return
        except rules.WrongResultError:
            detail = "cel expression must evaluate to a bool"
            if key == "messageExpression":
                detail = "messageExpression must evaluate to a string"
            yield _bad_rule(rule, f"{path}.{key}", detail)
            return
        if key == "rule":
            mentions_old = rules.mentions_old(tree)
    if mentions_old and no_old:
        detail = (
            f"oldSelf cannot be used on the uncorrelatable portion of the schema within {no_old}"
        )
        yield causes.invalid(f"{path}.rule", rule["rule"], detail)
    if not mentions_old and rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        yield causes.invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], detail)


def _bad_rule(rule: dict[str, Any], path: str, detail: str) -> Cause:
    """The value is printed as Go's internal struct is marshalled."""
    shown = {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    for char, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(char, escaped)
    return Cause(causes.INVALID, f"Invalid value: {text}: {detail}", path)


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
