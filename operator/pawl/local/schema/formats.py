"""String formats that CRD schemas may name (kube-openapi `strfmt`). Unknown ones are ignored."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

_DATE_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))")
_GO_DURATION = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")
_SCALA_DURATION = re.compile(
    r"\d+\s*(ns|nano\w*|us|µs|micro\w*|ms|milli\w*|s|sec\w*|m|min\w*|h|hr|hour\w*|d|day\w*|w|wk|week\w*)",
    re.IGNORECASE,
)
# Over the kinds of the characters: `d`igit, `l`etter, `s`ymbol, and `-` and `.` themselves.
_HOSTNAME = re.compile(r"[dls](-?[dls]{0,62})?|([dls]([dls-]{0,61}[dls])?\.)+l{2,63}")
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
)
_EMAIL = re.compile(r"(.*<)?[^\s<>@,;:\"]+@[^\s<>@,;:\"]+>?")
_SHORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HEX = "[0-9a-fA-F]"


def supported(type_name: str | None, format_name: str) -> str:
    """The format that applies to a schema of this type, normalised, or "" when it is ignored."""
    if type_name in (None, "string"):
        normal = format_name.replace("-", "")
        return normal if normal in _CHECKS else ""
    if type_name == "integer":
        return format_name if format_name in ("int32", "int64") else ""
    if type_name == "number":
        return format_name if format_name in ("float", "double") else ""
    return ""


def matches(format_name: str, text: str) -> bool:
    """Is `text` of the (normalised, supported) string format?"""
    return _CHECKS[format_name](text)


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_datetime(text: str) -> bool:
    day, _, clock = text.lower().partition("t")
    match = _DATE_TIME.fullmatch(clock)
    return bool(
        match and _is_date(day) and match[1] <= "23" and match[2] <= "59" and match[3] <= "59"
    )


def _is_duration(text: str) -> bool:
    return bool(_GO_DURATION.fullmatch(text) or _SCALA_DURATION.search(text))


def _is_hostname(text: str) -> bool:
    if len(text.encode()) > 255 or any(len(label.encode()) > 63 for label in text.split(".")):
        return False
    return _HOSTNAME.fullmatch("".join(map(_character_kind, text))) is not None


def _character_kind(char: str) -> str:
    if char in "-.":
        return char
    if char.isascii() and char.isdigit():
        return "d"
    return {"L": "l", "S": "s"}.get(unicodedata.category(char)[0], "?")


def _is_ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _is_cidr(text: str) -> bool:
    try:
        return "/" in text and bool(ipaddress.ip_interface(text))
    except ValueError:
        return False


def _is_uri(text: str) -> bool:
    """net/url.ParseRequestURI: absolute URI or absolute path."""
    if not text or any(char.isspace() or ord(char) < 0x20 for char in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) or text.startswith("/")


def _is_isbn(text: str, length: int) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if length == 10:
        if not re.fullmatch(r"\d{9}[\dX]", digits):
            return False
        values = [10 if digit == "X" else int(digit) for digit in digits]
        return sum((at + 1) * value for at, value in enumerate(values)) % 11 == 0
    if not re.fullmatch(r"\d{13}", digits):
        return False
    return sum((1, 3)[at % 2] * int(digit) for at, digit in enumerate(digits)) % 10 == 0


def _is_credit_card(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [value * 2 - 9 * (value > 4) if at % 2 else value
               for at, value in enumerate(reversed(digits))]  # fmt: skip
    return len(digits) >= 13 and sum(doubled) % 10 == 0


def _is_short_name(text: str) -> bool:
    return len(text) <= 63 and bool(_SHORT_NAME.fullmatch(text))


def _is_long_name(text: str) -> bool:
    return len(text) <= 253 and all(map(_SHORT_NAME.fullmatch, text.split(".")))


def _pattern(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _uuid(third: str, fourth: str) -> Callable[[str], bool]:
    return _pattern(f"{_HEX}{{8}}-?{_HEX}{{4}}-?{third}-?{fourth}-?{_HEX}{{12}}")


_ANY4, _VARIANT = f"{_HEX}{{4}}", f"[89abAB]{_HEX}{{3}}"
_CHECKS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(f"{_HEX}{{24}}"),
    "uri": _is_uri,
    "email": lambda text: bool(_EMAIL.fullmatch(text)),
    "hostname": _is_hostname,
    "ipv4": _is_ip(4),
    "ipv6": _is_ip(6),
    "cidr": _is_cidr,
    "mac": _pattern(
        rf"{_HEX}{{2}}([:-]{_HEX}{{2}}){{5}}(([:-]{_HEX}{{2}}){{2}})?|{_HEX}{{4}}(\.{_HEX}{{4}}){{2,3}}"
    ),
    "uuid": _uuid(_ANY4, _ANY4),
    "uuid3": _uuid(f"3{_HEX}{{3}}", _ANY4),
    "uuid4": _uuid(f"4{_HEX}{{3}}", _VARIANT),
    "uuid5": _uuid(f"5{_HEX}{{3}}", _VARIANT),
    "isbn": lambda text: _is_isbn(text, 10) or _is_isbn(text, 13),
    "isbn10": lambda text: _is_isbn(text, 10),
    "isbn13": lambda text: _is_isbn(text, 13),
    "creditcard": _is_credit_card,
    "ssn": _pattern(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _pattern(f"#?({_HEX}{{3}}|{_HEX}{{6}})"),
    "rgbcolor": _pattern(r"rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)"),
    "byte": lambda text: _BASE64.fullmatch(text) is not None,
    "password": lambda _text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_datetime,
    "k8sshortname": _is_short_name,
    "k8slongname": _is_long_name,
}
