"""Strings and regular expressions: the specification's, cel-go's `ext.Strings` and Kubernetes'
`find` and `findAll`."""

from __future__ import annotations

import re
from typing import Any

from pawl.local.schema import golang, regex
from pawl.local.schema.cel.functions import declare, overload
from pawl.local.schema.cel.operators import to_string
from pawl.local.schema.cel.problems import EvaluationError

_VERB = re.compile(r"%(?:\.(\d+))?([a-zA-Z%])")

declare("string.startsWith(string) -> bool", lambda text, prefix: text.startswith(prefix))
declare("string.endsWith(string) -> bool", lambda text, suffix: text.endswith(suffix))
declare("string.contains(string) -> bool", lambda text, part: part in text)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return regex.compile(text)
    except regex.PatternError as error:
        raise EvaluationError(str(error)) from None


@overload("string.matches(string) -> bool", "matches(string,string) -> bool")
def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


@overload("string.find(string) -> string")
def _find(text: str, pattern: str) -> str:
    match = _pattern(pattern).search(text)
    return match[0] if match else ""


@overload("string.findAll(string) -> list(string)", "string.findAll(string,int) -> list(string)")
def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in _pattern(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


@overload("string.charAt(int) -> string")
def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise EvaluationError(f"index out of range: {at}")
    return text[at : at + 1]


@overload("string.indexOf(string) -> int", "string.indexOf(string,int) -> int")
def _index_of(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.find(part, start)


@overload("string.lastIndexOf(string) -> int", "string.lastIndexOf(string,int) -> int")
def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part))


declare("string.lowerAscii() -> string",
        lambda text: "".join(c.lower() if c.isascii() else c for c in text))  # fmt: skip
declare("string.upperAscii() -> string",
        lambda text: "".join(c.upper() if c.isascii() else c for c in text))  # fmt: skip
declare("string.trim() -> string", lambda text: text.strip())
declare("string.replace(string,string) -> string", lambda text, old, new: text.replace(old, new))
declare("string.replace(string,string,int) -> string",
        lambda text, old, new, limit: text.replace(old, new, limit))  # fmt: skip
declare("strings:quote(string) -> string", golang.quote)
declare("list(string).join() -> string", "".join)
declare("list(string).join(string) -> string", lambda parts, glue: glue.join(parts))


@overload("string.split(string) -> list(string)", "string.split(string,int) -> list(string)")
def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator == "":
        chars = list(text)
        return chars if limit < 0 else [*chars[: limit - 1], "".join(chars[limit - 1 :])]
    return text.split(separator, limit - 1 if limit > 0 else -1)


@overload("string.substring(int) -> string", "string.substring(int,int) -> string")
def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise EvaluationError(f"index out of range: {stop}")
    if start > stop:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


@overload("string.format(list(dyn)) -> string")
def _format(template: str, arguments: list[Any]) -> str:
    position = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal position
        if match[2] == "%":
            return "%"
        if position >= len(arguments):
            raise EvaluationError(f"index {position} out of range")
        value = arguments[position]
        position += 1
        return _verb(match[2], value, match[1])

    return _VERB.sub(fill, template)


def _verb(verb: str, value: Any, precision: str | None) -> str:
    digits = int(precision) if precision else 6
    if verb == "s":
        return _shown(value)
    if verb in "dboxX" and isinstance(value, int):
        return str(int(value)) if verb == "d" else format(int(value), verb)
    if verb in "xX" and isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else value
        return raw.hex() if verb == "x" else raw.hex().upper()
    if verb in "fe" and isinstance(value, int | float) and not isinstance(value, bool):
        return format(float(value), f".{digits}{verb}")
    raise EvaluationError(f'error during formatting: could not parse formatting clause "%{verb}"')


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(k)}: {_shown(value[k])}" for k in sorted(value)) + "}"
    return "null" if value is None else to_string(value)
