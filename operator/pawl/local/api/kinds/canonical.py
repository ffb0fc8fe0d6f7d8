"""What a round trip through the Go types does to values: times in UTC, quantities in their
canonical form (metav1.Time, MicroTime, resource.Quantity), empty maps and lists left out."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from pawl.api.quantity import parse
from pawl.local.api import metadata

Obj = dict[str, Any]
Schema = dict[str, Any]

_DECIMAL = (("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3),
            ("u", -6), ("n", -9))  # fmt: skip
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


def normalize(value: Any, schema: Schema) -> Any:
    """The value as Go would write it; containers are changed in place."""
    if isinstance(value, dict):
        fields, rest = schema.get("properties"), schema.get("additionalProperties")
        needed = schema.get("required", ())
        for name, item in list(value.items()):
            below = fields.get(name) if fields else rest
            if not isinstance(below, dict):
                continue
            if item is None and fields:
                del value[name]
                continue
            value[name] = _zero(below) if item is None else normalize(item, below)
            if fields and name not in needed and value[name] in ({}, []) and _no_struct(below):
                del value[name]
        return value
    if isinstance(value, list):
        below = schema.get("items")
        if isinstance(below, dict):
            value[:] = [_zero(below) if item is None else normalize(item, below) for item in value]
        return value
    match schema.get("x-go-type"):
        case "v1.Time":
            return _time(value, metadata.stamp)
        case "v1.MicroTime":
            return _time(value, metadata.stamp_micro)
        case "resource.Quantity":
            return quantity(value)
    return value


def _zero(schema: Schema) -> Any:
    """What a null in a list or map becomes: the zero value of its type."""
    zeros = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": []}
    return zeros.get(schema.get("type", ""), {})


def _no_struct(schema: Schema) -> bool:
    """Maps and lists that are empty are left out by Go (omitempty); structs are not."""
    return schema.get("type") == "array" or (
        isinstance(schema.get("additionalProperties"), dict) and "properties" not in schema
    )


def _time(value: Any, stamp: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def quantity(value: Any) -> Any:
    """Canonical: no fraction digits, no precision lost, the largest suffix possible, binary
    suffixes only if there was one and the amount is at least 1024. Not a quantity: unchanged."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    text = str(value).strip()
    try:
        amount = parse(text)
    except ValueError:
        return value
    exponent = text[-1:].isdigit() and "e" in text.lower()
    if text.endswith("i") and abs(amount) >= 1024:
        return _binary(amount)
    return text if exponent else _decimal(amount)


def _decimal(amount: Fraction) -> str:
    if not amount:
        return "0"
    nano = Fraction(_up(amount * 10**9), 10**9)
    for suffix, power in _DECIMAL:
        scaled = nano / Fraction(10) ** power
        if scaled.denominator == 1:
            return f"{scaled.numerator}{suffix}"
    return str(_up(amount))


def _binary(amount: Fraction) -> str:
    whole = _up(amount)
    for number, suffix in enumerate(_BINARY):
        scale = 1024 ** (len(_BINARY) - number)
        if whole % scale == 0:
            return f"{whole // scale}{suffix}"
    return str(whole)


def _up(amount: Fraction) -> int:
    """Rounded away from zero, as Quantity rounds."""
    sign = -1 if amount < 0 else 1
    return int(sign * -(-abs(amount) // 1))
