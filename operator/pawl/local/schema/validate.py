"""Validation of a value against a structural schema: kube-openapi's validators, in their order and
with their words (k8s.io/kube-openapi/pkg/validation/validate).

Like there, a Result counts how many checks matched; anyOf and oneOf report the errors of the
alternative that matched best. Errors are unique by their Go text.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from pawl.local.schema import causes, golang
from pawl.local.schema.causes import Cause
from pawl.local.schema.correlate import NOTHING, at_item, at_key, unchanged
from pawl.local.schema.prune import additional
from pawl.local.schema.result import Result
from pawl.local.schema.scalars import (
    check_enum,
    check_format,
    check_number,
    check_string,
    check_type,
    types_of,
)

Schema = dict[str, Any]


def against_schema(value: Any, schema: Schema, old: Any = None, *, prefix: str = "") -> list[Cause]:
    """Everything in `value` that the schema forbids. With `old`, errors in values that did not
    change are forgiven. Field paths start with `prefix`; texts, as in Go, do not."""
    result = _validate(value, schema, "", NOTHING if old is None else old, prefix)
    return list(result.errors.values())


def _validate(value: Any, schema: Schema, path: str, old: Any, prefix: str) -> Result:
    result = Result(prefix)
    if value is None:
        check_type(None, schema, path, result)
        check_enum(None, schema, path, result)
    else:
        _validate_present(value, schema, path, old, result)
    if result.errors and unchanged(value, old, schema):
        return Result(prefix)
    return result


def _validate_present(value: Any, schema: Schema, path: str, old: Any, result: Result) -> None:
    if types_of(schema) or schema.get("format"):
        check_type(value, schema, path, result)
        result.matched += 1
    _combinations(value, schema, path, old, result)
    if isinstance(value, str):
        check_string(value, schema, path, result)
        check_format(value, schema, path, result)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        check_number(value, schema, path, result)
    elif isinstance(value, list):
        _list(value, schema, path, old, result)
    check_enum(value, schema, path, result)
    if isinstance(value, dict):
        _object(value, schema, path, old, result)
    result.matched += 3


def _list(value: list[Any], schema: Schema, path: str, old: Any, result: Result) -> None:
    items = schema.get("items")
    if items is not None:
        for at, item in enumerate(value):
            before = at_item(item, old, schema)
            result.merge(_validate(item, items, f"{path}[{at}]", before, result.prefix))
    _count(value, schema, "items", path, result)
    if schema.get("uniqueItems"):
        distinct = {golang.to_json(item) for item in value}
        if len(distinct) < len(value):
            result.invalid(path, None, f"{path} in body shouldn't contain duplicates")
    result.matched += 2


def _count(value: Sized, schema: Schema, what: str, path: str, result: Result) -> None:
    """minItems and maxItems, minProperties and maxProperties."""
    fewest, most = (schema.get(f"{end}{what.capitalize()}") for end in ("min", "max"))
    if fewest is not None and len(value) < fewest:
        text = f"{path} in body should have at least {fewest} {what}"
        result.invalid(path, len(value), text)
    if most is not None and len(value) > most:
        text = f"{path} in body should have at most {most} {what}"
        result.add(text, causes.too_many(result.path(path), len(value), most))


def _object(value: dict[str, Any], schema: Schema, path: str, old: Any, result: Result) -> None:
    _count(value, schema, "properties", path, result)
    properties, rest = schema.get("properties", {}), additional(schema)
    closed = schema.get("additionalProperties") is False
    for name, item in value.items():
        if name in properties:
            continue
        if closed:
            result.invalid(path, name, f"{path}.{name} in body is a forbidden property")
        elif rest is not None:
            before = at_key(value, old, name)
            result.merge(_validate(item, rest, f"{path}.{name}", before, result.prefix))
    for name, sub in properties.items():
        if name in value:
            inner = f"{path}.{name}" if path else name
            own_type = not path and name in ("apiVersion", "kind")
            before = NOTHING if own_type else at_key(value, old, name)
            result.merge(_validate(value[name], sub, inner, before, result.prefix))
    for name in schema.get("required") or ():
        if name not in value:
            text = f"{path}.{name} in body is required"
            result.add(text, causes.required(result.path(f"{path}.{name}")))
    result.matched += 1


def _combinations(value: Any, schema: Schema, path: str, old: Any, result: Result) -> None:
    def attempt(sub: Schema) -> Result:
        return _branch(value, sub, path, old, result.prefix)

    if schema.get("anyOf"):
        _any_of([attempt(sub) for sub in schema["anyOf"]], path, result)
    if schema.get("oneOf"):
        _one_of([attempt(sub) for sub in schema["oneOf"]], path, result)
    if schema.get("allOf"):
        results = [attempt(sub) for sub in schema["allOf"]]
        for one in results:
            result.merge(one)
        failed = sum(bool(one.errors) for one in results)
        if failed:
            detail = ". None validated" if failed == len(results) else ""
            name = golang.quote(path)
            result.general(f"{name} must validate all the schemas (allOf){detail}")
    if schema.get("not") is not None and not attempt(schema["not"]).errors:
        result.general(f"{golang.quote(path)} must not validate the schema (not)")
    result.matched += 2


def _branch(value: Any, schema: Schema, path: str, old: Any, prefix: str) -> Result:
    """A sub-schema of the same value: ratcheted below, not at this node."""
    result = Result(prefix)
    if value is not None:
        _validate_present(value, schema, path, old, result)
    return result


def _any_of(results: list[Result], path: str, result: Result) -> None:
    valid = [one for one in results if not one.errors]
    if valid:
        result.merge(valid[0])
        return
    result.general(f"{golang.quote(path)} must validate at least one schema (anyOf)")
    result.merge(max(results, key=lambda one: one.matched))


def _one_of(results: list[Result], path: str, result: Result) -> None:
    valid = [one for one in results if not one.errors]
    if len(valid) == 1:
        result.merge(valid[0])
        return
    name = golang.quote(path)
    found = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
    result.general(f"{name} must validate one and only one schema (oneOf). {found}")
    if not valid:
        result.merge(max(results, key=lambda one: one.matched))
