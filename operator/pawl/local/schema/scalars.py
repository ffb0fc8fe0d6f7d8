"""Types, enums, strings, formats and numbers: the checks of one value
(k8s.io/kube-openapi/pkg/validation/validate). Each adds what it finds to a Result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pawl.local.schema import causes, formats, golang, regex
from pawl.local.schema.result import Result

Schema = dict[str, Any]
_INT_RANGE = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_FLOAT32_MAX = 3.4028234663852886e38


def types_of(schema: Schema) -> list[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ["integer", "string"]
    return [schema["type"]] if schema.get("type") else []


def _format_of(schema: Schema) -> str:
    name = schema.get("format")
    if not name:
        return ""
    types = types_of(schema)
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


def check_type(value: Any, schema: Schema, path: str, result: Result) -> None:
    types, wanted = types_of(schema), _format_of(schema)
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


def check_enum(value: Any, schema: Schema, path: str, result: Result) -> None:
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


def check_string(value: str, schema: Schema, path: str, result: Result) -> None:
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


def check_format(value: str, schema: Schema, path: str, result: Result) -> None:
    name = _format_of(schema)
    if name in ("", "int32", "int64", "float", "double"):
        return
    result.matched += 1
    if not formats.matches(name, value):
        text = f"{path} in body must be of type {schema['format']}: {golang.quote(value)}"
        result.add(text, causes.type_invalid(result.path(path), value, text))


def check_number(value: float, schema: Schema, path: str, result: Result) -> None:
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
    if types_of(schema) == ["integer"]:
        low, high = _INT_RANGE[name or "int64"]
        if not (low <= value <= high and float(value).is_integer()):
            shown = f"with format {name}" if name else "(default format)"
            result.general(f"Checked value must be of type integer {shown} in {path}")
    elif name == "float" and abs(value) > _FLOAT32_MAX:
        result.general(f"Checked value must be of type number with format float in {path}")
