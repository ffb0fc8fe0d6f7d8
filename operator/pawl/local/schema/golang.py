"""How Go prints values: `%q`, `%v` and encoding/json. Messages of kube-apiserver contain them."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import orjson

_SHORT_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    '"': '\\"', "\\": "\\\\",
}  # fmt: skip


_HTML = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def quote(text: str) -> str:
    """strconv.Quote: `%q` of a string."""
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if char == " " or char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def number(value: float) -> str:
    """`%v` of an int64 or float64: the shortest form, with an exponent from 1e+06 on and below
    1e-04."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    exponent = Decimal(repr(value)).adjusted()
    digits = "".join(map(str, Decimal(repr(value)).as_tuple().digits)).rstrip("0")
    if -4 <= exponent < 6:
        return (
            repr(value).removesuffix(".0") if "e" not in repr(value) else f"{value:f}".rstrip("0")
        )
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{'-' if value < 0 else ''}{mantissa}e{exponent:+03d}"


def plain(value: Any) -> str:
    """`%v` of a JSON scalar; `[a b]` for a list."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list):
        return "[" + " ".join(map(plain, value)) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{plain(value[k])}" for k in sorted(value)) + "]"
    return str(value)


def syntax(value: Any) -> str:
    """`%#v` of a decoded JSON value."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(syntax, value)) + "}"
    if isinstance(value, dict):
        pairs = ", ".join(f"{quote(name)}:{syntax(value[name])}" for name in sorted(value))
        return f"map[string]interface {{}}{{{pairs}}}"
    return "interface {}(nil)" if value is None else plain(value)


def to_json(value: Any) -> str:
    """encoding/json.Marshal: compact, sorted keys, `<`, `>` and `&` escaped."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        exact = "." not in text and "e" not in text.replace("true", "").replace("false", "")
    except TypeError:  # integers beyond 64 bits
        exact = False
    if not exact:  # there may be floats, which Go writes differently
        plain_value = _integral(value)
        text = json.dumps(plain_value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.translate(_HTML)


def _integral(value: Any) -> Any:
    """Go writes 2.0 as 2."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return value


def json_kind(value: Any) -> str:
    """What encoding/json calls a JSON value in `cannot unmarshal <kind> into …`."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def same(a: Any, b: Any) -> bool:
    """reflect.DeepEqual of decoded JSON: 1 is neither true nor 1.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
