"""What a PromQL expression asks for, by its grammar as far as selectors and groupings go.

https://prometheus.io/docs/prometheus/latest/querying/basics. A name is a metric unless a bracket
follows it (a function), or it is an operator's word; names of labels stand in braces, or in
brackets after by, without, on, ignoring, group_left, group_right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""\s+
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<variable>\$\w+|\$\{\w+\})
    |(?P<number>(?:\d+(?:ms|[smhdwy]))+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    |(?P<name>[A-Za-z_:][\w:]*)
    |(?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>=(){}\[\],:@])""",
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}


def selectors(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each metric that is asked for, with the labels that the expression takes it to have: those it
    is matched by. ValueError when the expression is not PromQL, as far as can be seen."""
    tokens = list(_tokens(expression))
    _balanced(tokens)
    for place, (kind, text) in enumerate(tokens):
        following = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        if kind == "name" and not _opener(tokens, place):
            if following == "{":
                yield text, frozenset(_matched(tokens, place + 2))
            elif (
                following != "(" and text not in _WORDS | _GROUPING and not _operator(tokens, place)
            ):
                yield text, frozenset()


def groupings(expression: str) -> frozenset[str]:
    """The labels in all groupings."""
    tokens = list(_tokens(expression))
    return frozenset(
        text
        for place, (kind, text) in enumerate(tokens)
        if kind == "name" and _opener(tokens, place) == "("
    )


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None:
            raise ValueError(f"not PromQL at {expression[place : place + 20]!r}")
        if match.lastgroup is not None:
            yield match.lastgroup, match[0]
        place = match.end()


def _balanced(tokens: list[tuple[str, str]]) -> None:
    closing, expected = {"(": ")", "[": "]", "{": "}"}, []
    for kind, text in tokens:
        if kind == "sign" and text in closing:
            expected.append(closing[text])
        elif (
            kind == "sign" and text in closing.values() and (not expected or expected.pop() != text)
        ):
            raise ValueError(f"{text} without its opening")
    if expected:
        raise ValueError(f"{expected[-1]} is missing")


def _opener(tokens: list[tuple[str, str]], place: int) -> str:
    """The bracket that a name of a label stands in: { or that of a grouping; nothing else."""
    depth = 0
    for before in range(place - 1, -1, -1):
        kind, text = tokens[before]
        if kind != "sign":
            continue
        if text in ")}]":
            depth += 1
        elif text in "({[" and depth:
            depth -= 1
        elif text == "{":
            return "{"
        elif text == "(":
            return "(" if before and tokens[before - 1][1] in _GROUPING else ""
        elif text == "[":
            return ""
    return ""


def _operator(tokens: list[tuple[str, str]], place: int) -> bool:
    """An aggregation whose grouping comes first: sum by (…) (…)."""
    return place + 1 < len(tokens) and tokens[place + 1][1] in ("by", "without")


def _matched(tokens: list[tuple[str, str]], place: int) -> Iterator[str]:
    while tokens[place][1] != "}":
        if tokens[place][0] == "name":
            yield tokens[place][1]
        place += 1
