"""Operators and conversions of the CEL specification."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pawl.local.schema import golang
from pawl.local.schema.cel.celtypes import Type, type_of
from pawl.local.schema.cel.functions import declare, overload
from pawl.local.schema.cel.problems import EvaluationError
from pawl.local.schema.cel.values import Duration, MapList, SetList, Uint, parse_duration

_ORDERED = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
_NUMBERS = ("int", "uint", "double")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def equal(left: Any, right: Any) -> bool:
    """`==`: numbers compare by value whatever their type, everything else only within a type."""
    if all(isinstance(x, int | float) and not isinstance(x, bool) for x in (left, right)):
        return bool(left == right)
    if type_of(left).name != type_of(right).name:
        return False
    if isinstance(left, SetList | MapList):
        return len(left) == len(right) and all(contains(item, right) for item in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def contains(item: Any, items: Any) -> bool:
    """`in`."""
    if isinstance(items, dict):
        return any(equal(item, key) for key in items)
    return any(equal(item, other) for other in items)


declare("_==_(A,A) -> bool", equal)
declare("_!=_(A,A) -> bool", lambda left, right: not equal(left, right))
declare("@in(A,list(A)) -> bool", contains)
declare("@in(A,map(A,B)) -> bool", contains)
declare("!_(bool) -> bool", lambda value: not value)

for _name, _compare in {
    "_<_": lambda left, right: left < right,
    "_<=_": lambda left, right: left <= right,
    "_>_": lambda left, right: left > right,
    "_>=_": lambda left, right: left >= right,
}.items():
    for _kind in _ORDERED:
        declare(f"{_name}({_kind},{_kind}) -> bool", _compare)
    for _kind in _NUMBERS:
        for _other in _NUMBERS:
            if _kind != _other:
                declare(f"{_name}({_kind},{_other}) -> bool", _compare)


def _int64(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise EvaluationError("integer overflow")
    return value


def _uint64(value: int) -> Uint:
    if not 0 <= value < 2**64:
        raise EvaluationError("unsigned integer overflow")
    return Uint(value)


@overload("_+_(int,int) -> int")
def _add_int(left: int, right: int) -> int:
    return _int64(left + right)


@overload("_-_(int,int) -> int")
def _subtract_int(left: int, right: int) -> int:
    return _int64(left - right)


@overload("_*_(int,int) -> int")
def _multiply_int(left: int, right: int) -> int:
    return _int64(left * right)


@overload("_/_(int,int) -> int")
def _divide_int(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return _int64(quotient if (left < 0) == (right < 0) else -quotient)


@overload("_%_(int,int) -> int")
def _modulo_int(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    quotient: int = _divide_int(left, right)
    return left - right * quotient


declare("_+_(uint,uint) -> uint", lambda left, right: _uint64(int(left) + int(right)))
declare("_-_(uint,uint) -> uint", lambda left, right: _uint64(int(left) - int(right)))
declare("_*_(uint,uint) -> uint", lambda left, right: _uint64(int(left) * int(right)))
declare("_/_(uint,uint) -> uint", lambda left, right: _uint64(_divide_int(left, right)))
declare("_%_(uint,uint) -> uint", lambda left, right: _uint64(_modulo_int(left, right)))
declare("-_(int) -> int", lambda value: _int64(-value))
declare("-_(double) -> double", lambda value: -value)
declare("_+_(double,double) -> double", lambda left, right: left + right)
declare("_-_(double,double) -> double", lambda left, right: left - right)
declare("_*_(double,double) -> double", lambda left, right: left * right)


@overload("_/_(double,double) -> double")
def _divide_double(left: float, right: float) -> float:
    if right:
        return left / right
    return (
        math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left * right or left)
    )


declare("_+_(string,string) -> string", lambda left, right: left + right)
declare("_+_(bytes,bytes) -> bytes", lambda left, right: left + right)


@overload("_+_(list(A),list(A)) -> list(A)")
def _add_lists(left: list[Any], right: list[Any]) -> list[Any]:
    if isinstance(left, SetList):
        return SetList([*left, *(item for item in right if not contains(item, left))])
    if isinstance(left, MapList):
        merged = {left.key_of(item): item for item in left}
        merged |= {left.key_of(item): item for item in right}
        return MapList(merged.values(), left.keys)
    return left + right


def _shift(moment: datetime, span: Duration) -> datetime:
    try:
        return moment + timedelta(microseconds=span.nanoseconds / 1000)
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None


def _between(left: datetime, right: datetime) -> Duration:
    delta = left - right
    return Duration((delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1000)


declare("_+_(duration,duration) -> duration",
        lambda left, right: Duration(left.nanoseconds + right.nanoseconds))  # fmt: skip
declare("_-_(duration,duration) -> duration",
        lambda left, right: Duration(left.nanoseconds - right.nanoseconds))  # fmt: skip
declare("_+_(timestamp,duration) -> timestamp", _shift)
declare("_+_(duration,timestamp) -> timestamp", lambda span, moment: _shift(moment, span))
declare("_-_(timestamp,duration) -> timestamp",
        lambda moment, span: _shift(moment, Duration(-span.nanoseconds)))  # fmt: skip
declare("_-_(timestamp,timestamp) -> duration", _between)


@overload("size(string) -> int", "size(bytes) -> int", "size(list(A)) -> int",
          "size(map(A,B)) -> int", "string.size() -> int", "bytes.size() -> int",
          "list(A).size() -> int", "map(A,B).size() -> int")  # fmt: skip
def _size(value: Any) -> int:
    return len(value)


declare("type(A) -> type(A)", type_of)
declare("dyn(A) -> dyn", lambda value: value)


@overload("int(int) -> int", "int(uint) -> int", "int(double) -> int", "int(string) -> int",
          "int(timestamp) -> int", "int(duration) -> int")  # fmt: skip
def _to_int(value: Any) -> int:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, Duration):
        return value.nanoseconds
    if isinstance(value, str) and not re.fullmatch(r"[+-]?\d+", value):
        raise EvaluationError(f"strconv.ParseInt: parsing {golang.quote(value)}: invalid syntax")
    if isinstance(value, float) and not math.isfinite(value):
        raise EvaluationError("integer overflow")
    return _int64(int(value))


@overload("uint(int) -> uint", "uint(uint) -> uint", "uint(double) -> uint", "uint(string) -> uint")
def _to_uint(value: Any) -> Uint:
    return _uint64(int(_to_int(value)))


@overload("double(int) -> double", "double(uint) -> double", "double(double) -> double",
          "double(string) -> double")  # fmt: skip
def _to_double(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        shown = golang.quote(value)
        raise EvaluationError(f"strconv.ParseFloat: parsing {shown}: invalid syntax") from None


@overload("bool(bool) -> bool", "bool(string) -> bool")
def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise EvaluationError(f"strconv.ParseBool: parsing {golang.quote(value)}: invalid syntax")


declare("bytes(bytes) -> bytes", lambda value: value)
declare("bytes(string) -> bytes", lambda value: value.encode())


@overload("string(int) -> string", "string(uint) -> string", "string(double) -> string",
          "string(bool) -> string", "string(string) -> string", "string(bytes) -> string",
          "string(timestamp) -> string", "string(duration) -> string")  # fmt: skip
def to_string(value: Any) -> str:
    """The conversion `string(value)`."""
    if isinstance(value, datetime):
        return show_timestamp(value)
    if isinstance(value, Duration):
        seconds = value.nanoseconds / 10**9
        return f"{golang.number(seconds)}s"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    return golang.plain(value)


def show_timestamp(moment: datetime) -> str:
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


@overload("timestamp(timestamp) -> timestamp", "timestamp(string) -> timestamp",
          "timestamp(int) -> timestamp")  # fmt: skip
def to_timestamp(value: Any) -> datetime:
    """RFC 3339 text or Unix seconds."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        if not _TIMESTAMP.fullmatch(value):
            raise ValueError(value)
        return datetime.fromisoformat(value.upper())
    except (ValueError, OverflowError, OSError):
        shown = golang.quote(value) if isinstance(value, str) else str(value)
        raise EvaluationError(
            f'parsing time {shown} as "2006-01-02T15:04:05Z07:00": cannot parse {shown} as "2006"'
        ) from None


declare("duration(duration) -> duration", lambda value: value)
declare("duration(string) -> duration", parse_duration)
declare("duration(int) -> duration", Duration)
TYPE_NAMES = {
    name: Type("null_type" if name == "null_type" else name)
    for name in ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "type",
                 "null_type")
} | {"google.protobuf.Duration": Type("duration"),
     "google.protobuf.Timestamp": Type("timestamp")}  # fmt: skip
