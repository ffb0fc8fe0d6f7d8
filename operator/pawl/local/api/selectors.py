"""Label selectors in their string form (apimachinery pkg/labels), and filters of objects.

Grammar: requirements joined by commas: `key`, `!key`, `key=value`, `key==value`, `key!=value`,
`key in (a,b)`, `key notin (a,b)`, `key>3`, `key<3`. An object without the key matches `!=` and
`notin`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pawl.local.api import names
from pawl.local.schema import causes
from pawl.local.schema.causes import Cause, aggregate

Obj = dict[str, Any]
Labels = Mapping[str, str]
Filter = Callable[[Obj], bool]

_OPERATORS = ("!", ")", ",", "==", "=", ">", "in", "<", "!=", "notin", "(")
_SYMBOLS = "=!(),<>"
_BINARY = "in, notin, =, ==, !=, gt, lt"
_END = ""


class SelectorError(ValueError):
    """A selector that cannot be read; `str()` is what the API server says."""


@dataclass(frozen=True)
class Requirement:
    key: str
    operator: str  # exists | ! | in | notin | > | <
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value not in self.values
        try:
            found, limit = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return found > limit if self.operator == ">" else found < limit


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Requirement, ...]:
    """SelectorError when `text` is no selector. The empty text selects everything."""
    return _Parser(_tokens(text)).parse()


def matches(requirements: tuple[Requirement, ...], labels: Labels) -> bool:
    return all(requirement.matches(labels) for requirement in requirements)


def render(selector: Mapping[str, Any] | None) -> str:
    """A metav1.LabelSelector in the string form (metav1.FormatLabelSelector): `<none>` if empty."""
    if selector is None:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    expressions = selector.get("matchExpressions") or []
    for one in sorted(expressions, key=lambda e: str(e.get("key"))):
        key, values = one.get("key", ""), ",".join(sorted(one.get("values") or ()))
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }.get(one.get("operator", ""), "<error>")
        )
    return ",".join(parts) or "<none>"


def select(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether labels match a metav1.LabelSelector. None selects nothing, {} everything."""
    if selector is None:
        return False
    text = render(selector)
    return text == "<none>" or matches(parse(text), labels)


def validate(selector: Mapping[str, Any], path: str) -> list[Cause]:
    """metav1validation.ValidateLabelSelector."""
    found: list[Cause] = []
    for key, value in (selector.get("matchLabels") or {}).items():
        at = causes.child(path, "matchLabels")
        found += [causes.invalid(at, key, text) for text in names.qualified_name(key)]
        found += [causes.invalid(at, value, text) for text in names.label_value(value)]
    for number, one in enumerate(selector.get("matchExpressions") or ()):
        at = causes.index(causes.child(path, "matchExpressions"), number)
        found += _expression(one, at)
    return found


def _expression(one: Obj, at: str) -> list[Cause]:
    found: list[Cause] = []
    operator, values = one.get("operator", ""), one.get("values") or []
    where = causes.child(at, "values")
    if operator in ("In", "NotIn"):
        if not values:
            found.append(
                causes.required(where, "must be specified when `operator` is 'In' or 'NotIn'")
            )
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(causes.forbidden(where, text))
    else:
        text = "not a valid selector operator"
        found.append(causes.invalid(causes.child(at, "operator"), operator, text))
    key = one.get("key", "")
    at_key = causes.child(at, "key")
    found += [causes.invalid(at_key, key, text) for text in names.qualified_name(key)]
    for number, value in enumerate(values):
        place = causes.index(where, number)
        found += [causes.invalid(place, value, text) for text in names.label_value(value)]
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, literal) pairs, the last one ("end", ""). Kinds: word, operators, error, end."""
    tokens: list[tuple[str, str]] = []
    for found in re.finditer(rf"[{_SYMBOLS}]+|[^\s{_SYMBOLS}]+", text):
        piece = found[0]
        if piece[0] not in _SYMBOLS:
            tokens.append((piece if piece in ("in", "notin") else "word", piece))
            continue
        while piece:
            size = next((n for n in (2, 1) if piece[:n] in _OPERATORS), 0)
            if not size:
                tokens.append(("error", f"error expected: keyword found '{piece}'"))
                break
            tokens.append((piece[:size], piece[:size]))
            piece = piece[size:]
    return [*tokens, ("end", _END)]


class _Parser:
    """Recursive descent, as labels.Parser does it."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def parse(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        while True:
            kind, literal = self._peek()
            if kind == "end":
                return tuple(found)
            if kind not in ("word", "!"):
                raise SelectorError(
                    f"found '{literal}', expected: !, identifier, or 'end of string'"
                )
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            kind, literal = self._next()
            if kind == "end":
                return tuple(found)
            if kind != ",":
                raise SelectorError(f"found '{literal}', expected: ',' or 'end of string'")
            kind, literal = self._peek()
            if kind not in ("word", "!"):
                raise SelectorError(f"found '{literal}', expected: identifier after ','")

    def _peek(self, *, value: bool = True) -> tuple[str, str]:
        """Where a value may stand, `in` and `notin` are words."""
        kind, literal = self._tokens[min(self._at, len(self._tokens) - 1)]
        return ("word" if value and kind in ("in", "notin") else kind), literal

    def _next(self, *, value: bool = True) -> tuple[str, str]:
        found = self._peek(value=value)
        self._at += 1
        return found

    def _requirement(self) -> Requirement:
        kind, key = self._next()
        negated = kind == "!"
        if negated:
            kind, key = self._next()
        if kind != "word":
            raise SelectorError(f"found '{key}', expected: identifier")
        _check([causes.invalid("", key, text) for text in names.qualified_name(key)])
        if negated:
            return Requirement(key, "!")
        if self._peek()[0] in ("end", ","):
            return Requirement(key, "exists")
        operator, literal = self._next(value=False)
        if operator in ("in", "notin"):
            values = self._values()
        elif operator in ("=", "==", "!=", ">", "<"):
            values = self._exact()
        else:
            raise SelectorError(f"found '{literal}', expected: {_BINARY}")
        _check(_value_causes(operator, sorted(values)))
        renamed = {"=": "in", "==": "in", "!=": "notin"}.get(operator, operator)
        return Requirement(key, renamed, frozenset(values))

    def _exact(self) -> set[str]:
        if self._peek()[0] in ("end", ","):
            return {""}
        kind, literal = self._next()
        if kind != "word":
            raise SelectorError(f"found '{literal}', expected: identifier")
        return {literal}

    def _values(self) -> set[str]:
        kind, literal = self._next()
        if kind != "(":
            raise SelectorError(f"found '{literal}' expected: '('")
        values: set[str] = set()
        expects_value = True
        while True:
            kind, literal = self._next()
            if kind == "word" and expects_value:
                values.add(literal)
                expects_value = False
            elif kind in (",", ")"):
                if expects_value:
                    values.add("")
                if kind == ")":
                    return values
                expects_value = True
            else:
                wanted = "',', or identifier" if expects_value else "',' or ')'"
                raise SelectorError(f"found '{literal}', expected: {wanted}")


def _value_causes(operator: str, values: list[str]) -> list[Cause]:
    found: list[Cause] = []
    for number, value in enumerate(values):
        at = f"values[{number}]"
        if operator in ("<", ">") and not re.fullmatch("[+-]?[0-9]+", value):
            text = "for 'Gt', 'Lt' operators, the value must be an integer"
            found.append(causes.invalid(at, value, text))
        found += [causes.invalid(at, value, text) for text in names.label_value(value)]
    return found


def _check(found: list[Cause]) -> None:
    if found:
        raise SelectorError(aggregate(map(str, found)))
