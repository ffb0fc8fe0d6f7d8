"""Validation of a value against a structural schema: kube-openapi's validators, in their order and
with their words (k8s.io/kube-openapi/pkg/validation/validate).

Like there, a Result counts how many checks matched; anyOf and oneOf report the errors of the
alternative that matched best. Errors are unique by their Go text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pawl.local.schema import causes, formats, golang, regex
from pawl.local.schema.causes import Cause
from pawl.local.schema.correlate import NOTHING, at_item, at_key, unchanged
from pawl.local.schema.prune import additional

Schema = dict[str, Any]
_INT_RANGE = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_FLOAT32_MAX = 3.4028234663852886e38


class Result:
    """Errors by their Go text, and the number of checks that matched."""

    __slots__ = ("errors", "matched", "prefix")

    def __init__(self, prefix: str) -> None:
        self.errors: dict[str, Cause] = {}
        self.matched = 0
        self.prefix = prefix

    def merge(self, other: Result) -> None:
        for text, cause in other.errors.items():
            self.errors.setdefault(text, cause)
        self.matched += other.matched

    def path(self, name: str) -> str:
        return causes.child(self.prefix, name.removeprefix(".")) if name else self.prefix

    def add(self, text: str, cause: Cause) -> None:
        self.errors.setdefault(text, cause)

    def invalid(self, name: str, value: Any, text: str) -> None:
        """A plain validation error: `Invalid value: <value>: <text>`."""
        self.add(text, causes.invalid(self.path(name), "" if value is None else value, text))

    def general(self, text: str) -> None:
        """An error without a field of its own; Go attaches it to the root."""
        self.add(text, causes.invalid(self.prefix, "", text))


def against_schema(value: Any, schema: Schema, old: Any = None, *, prefix: str = "") -> list[Cause]:
    """Everything in `value` that the schema forbids. With `old`, errors in values that did not
    change are forgiven. Field paths start with `prefix`; texts, as in Go, do not."""
    result = _validate(value, schema, "", NOTHING if old is None else old, prefix)
    return list(result.errors.values())


def _validate(value: Any, schema: Schema, path: str, old: Any, prefix: str) -> Result:
    result = Result(prefix)
    if value is None:
        _type(None, schema, path, result)
        _enum(None, schema, path, result)
    else:
        _validate_present(value, schema, path, old, result)
    if result.errors and unchanged(value, old, schema):
        return Result(prefix)
    return result


def _validate_present(value: Any, schema: Schema, path: str, old: Any, result: Result) -> None:
    if _types(schema) or schema.get("format"):
        _type(value, schema, path, result)
        result.matched += 1
    _combinations(value, schema, path, old, result)
    if isinstance(value, str):
        _string(value, schema, path, result)
        _format(value, schema, path, result)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _number(value, schema, path, result)
    elif isinstance(value, list):
        _list(value, schema, path, old, result)
    _enum(value, schema, path, result)
    if isinstance(value, dict):
        _object(value, schema, path, old, result)
    result.matched += 3


def _types(schema: Schema) -> list[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ["integer", "string"]
    return [schema["type"]] if schema.get("type") else []


def _format_of(schema: Schema) -> str:
    name = schema.get("format")
    if not name:
        return ""
    types = _types(schema)
    return formats.supported(types[0] if len(types) == 1 else None, name)


def _kind(value: Any) -> tuple[str, str]:
    """JSON type and Go format of a decoded value."""
    if isinstance(value, bool):
        return "boolean", ""
    if isinstance(value, int):
        return "integer", "int64"
    if isinstance(value, float):
        return "number", "float64"
    if isinstance(value, str):
        return "string", ""
    return ("array", "") if isinstance(value, list) else ("object", "")


def _type(value: Any, schema: Schema, path: str, result: Result) -> None:
    types, wanted = _types(schema), _format_of(schema)
    if value is None:
        if types and not schema.get("nullable"):
            _wrong_type(",".join(types), "null", path, result)
        else:
            result.matched += 1
        return
    kind, kind_format = _kind(value)
    numeric = kind in ("integer", "number") and (
        (kind == "number" and _is_json_integer(value) and "integer" in types)
        or (kind == "integer" and "number" in types)
    )
    text_like = isinstance(value, str | list)
    if wanted and not text_like and not (kind in types or kind_format == wanted or numeric):
        _wrong_type(schema["format"], kind_format, path, result)
    elif wanted and text_like and not {"number", "integer"} & set(types):
        result.matched += 1
    elif types and not (kind in types or numeric):
        _wrong_type(",".join(types), kind, path, result)
    else:
        result.matched += 1


def _wrong_type(wanted: str, actual: str, path: str, result: Result) -> None:
    text = f"{path} in body must be of type {wanted}: {golang.quote(actual)}"
    result.add(text, causes.type_invalid(result.path(path), actual, text))


def _enum(value: Any, schema: Schema, path: str, result: Result) -> None:
    allowed = schema.get("enum")
    if not allowed or any(_convertible(value, option) for option in allowed):
        return
    shown = [item if isinstance(item, str) else golang.to_json(item) for item in allowed]
    text = f"{path} in body should be one of {golang.plain(allowed)}"
    result.add(text, causes.not_supported(result.path(path), value, shown))


def _convertible(value: Any, option: Any) -> bool:
    """Equal after Go's conversion between number types."""
    if option is None:
        return False
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (value, option))
    if numbers and isinstance(option, int) and math.isfinite(value):
        return int(value) == option
    return value == option if numbers else golang.same(value, option)


def _string(value: str, schema: Schema, path: str, result: Result) -> None:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        text = f"{path} in body should be at most {longest} chars long"
        result.add(text, causes.too_long(result.path(path), longest))
    elif shortest is not None and len(value) < shortest:
        result.invalid(path, value, f"{path} in body should be at least {shortest} chars long")
    elif schema.get("pattern"):
        pattern = schema["pattern"]
        try:
            if regex.compile(pattern).search(value):
                return
        except regex.PatternError as error:
            pattern = f"{pattern}, but pattern is invalid: {error}"
        result.invalid(path, value, f"{path} in body should match '{pattern}'")


def _format(value: str, schema: Schema, path: str, result: Result) -> None:
    name = _format_of(schema)
    if name in ("", "int32", "int64", "float", "double"):
        return
    result.matched += 1
    if not formats.matches(name, value):
        text = f"{path} in body must be of type {schema['format']}: {golang.quote(value)}"
        result.add(text, causes.type_invalid(result.path(path), value, text))


def _number(value: float, schema: Schema, path: str, result: Result) -> None:
    _range(value, schema, path, result)
    for text in _bounds(value, schema):
        result.invalid(path, value, f"{path} in body should be {text}")
    if schema.get("multipleOf") is not None:
        _multiple(value, schema["multipleOf"], path, result)
    result.matched += 2


def _multiple(value: float, factor: float, path: str, result: Result) -> None:
    """Go cuts the factor to an integer where the value is one."""
    whole = isinstance(value, int)
    factor = math.trunc(factor) if whole else factor
    if factor <= 0:
        shown = golang.number(factor)
        text = f"factor MultipleOf declared for {path} must be positive: {shown}"
        result.invalid(path, factor, text)
    elif (
        value % factor
        if whole
        else not _is_json_integer(1 / factor * value if factor < 1 else value / factor)
    ):
        text = f"{path} in body should be a multiple of {golang.number(factor)}"
        result.invalid(path, value, text)


def _is_json_integer(value: float) -> bool:
    """swag.IsFloat64AJSONInteger: whole but for rounding, and exact as a JavaScript number."""
    if not math.isfinite(value) or abs(value) > 2**53 - 1:
        return False
    whole = math.trunc(value)
    return value == whole or (whole != 0 and abs(value - whole) / abs(value + whole) < 1e-9)


def _bounds(value: float, schema: Schema) -> Iterator[str]:
    """What the minimum and maximum say. Go compares an integer with a bound cut to an integer."""
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(value, int):
        least = least if least is None else math.trunc(least)
        most = most if most is None else math.trunc(most)
    if least is not None:
        if schema.get("exclusiveMinimum") and value <= least:
            yield f"greater than {golang.number(least)}"
        elif value < least:
            yield f"greater than or equal to {golang.number(least)}"
    if most is not None:
        if schema.get("exclusiveMaximum") and value >= most:
            yield f"less than {golang.number(most)}"
        elif value > most:
            yield f"less than or equal to {golang.number(most)}"


def _range(value: float, schema: Schema, path: str, result: Result) -> None:
    """Integers must be whole and in the range of their format, floats in theirs."""
    name = _format_of(schema)
    if _types(schema) == ["integer"]:
        low, high = _INT_RANGE[name or "int64"]
        if not (low <= value <= high and float(value).is_integer()):
            shown = f"with format {name}" if name else "(default format)"
            result.general(f"Checked value must be of type integer {shown} in {path}")
    elif name == "float" and abs(value) > _FLOAT32_MAX:
        result.general(f"Checked value must be of type number with format float in {path}")


def _list(value: list[Any], schema: Schema, path: str, old: Any, result: Result) -> None:
    items = schema.get("items")
    if items is not None:
        for at, item in enumerate(value):
            before = at_item(item, old, schema)
            result.merge(_validate(item, items, f"{path}[{at}]", before, result.prefix))
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    if fewest is not None and len(value) < fewest:
        text = f"{path} in body should have at least {fewest} items"
        result.invalid(path, len(value), text)
    if most is not None and len(value) > most:
        text = f"{path} in body should have at most {most} items"
        result.add(text, causes.too_many(result.path(path), len(value), most))
    if schema.get("uniqueItems"):
        distinct = {golang.to_json(item) for item in value}
        if len(distinct) < len(value):
            result.invalid(path, None, f"{path} in body shouldn't contain duplicates")
    result.matched += 2


def _object(value: dict[str, Any], schema: Schema, path: str, old: Any, result: Result) -> None:
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if fewest is not None and len(value) < fewest:
        text = f"{path} in body should have at least {fewest} properties"
        result.invalid(path, len(value), text)
    if most is not None and len(value) > most:
        text = f"{path} in body should have at most {most} properties"
        result.add(text, causes.too_many(result.path(path), len(value), most))
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
