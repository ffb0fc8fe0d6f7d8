"""What operators and functions take and give.

Four kinds: number, boolean, text, time. A boolean is taken wherever a number is (0 and 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "boolean", "text", "time"]
Rule = Callable[[tuple[Kind, ...]], Kind | None]

#: `fitted.<statistic>(column)`, over the training rows that have a value.
STATISTICS = ("mean", "std", "min", "max", "median")


@dataclass(frozen=True, slots=True)
class Form:
    """`rule` gives the kind of the result, None for arguments it does not take; `wants` says in
    words what it takes."""

    rule: Rule
    wants: str
    fewest: int
    most: int


def _numeric(kinds: tuple[Kind, ...]) -> bool:
    return set(kinds) <= {"number", "boolean"}


def _alike(kinds: tuple[Kind, ...]) -> Kind | None:
    """The kind that all can be taken for."""
    if len(set(kinds)) == 1:
        return kinds[0]
    return "number" if _numeric(kinds) else None


def _number(kinds: tuple[Kind, ...]) -> Kind | None:
    return "number" if _numeric(kinds) else None


def _only(taken: Kind, gives: Kind) -> Rule:
    return lambda kinds: gives if set(kinds) == {taken} else None


def _minus(kinds: tuple[Kind, ...]) -> Kind | None:
    return "number" if _numeric(kinds) or kinds == ("time", "time") else None


def _ordered(kinds: tuple[Kind, ...]) -> Kind | None:
    return "boolean" if _alike(kinds) in ("number", "boolean", "time") else None


def _equal(kinds: tuple[Kind, ...]) -> Kind | None:
    return "boolean" if _alike(kinds) else None


def _choice(kinds: tuple[Kind, ...]) -> Kind | None:
    return _alike(kinds[1:]) if kinds[0] == "boolean" else None


def _member(kinds: tuple[Kind, ...]) -> Kind | None:
    return "boolean" if _alike(kinds) in ("number", "boolean", "text") else None


_LOTS = 32
FORMS: dict[str, Form] = {
    "-": Form(_minus, "numbers, or two times (their difference in seconds)", 2, 2),
    "neg": Form(_number, "a number", 1, 1),
    **{name: Form(_number, "numbers", 2, 2) for name in ("+", "*", "/", "//", "%", "**")},
    **{name: Form(_ordered, "numbers or times", 2, 2) for name in ("<", "<=", ">", ">=")},
    **{name: Form(_equal, "values of one kind", 2, 2) for name in ("==", "!=")},
    **{name: Form(_only("boolean", "boolean"), "booleans", 2, _LOTS) for name in ("and", "or")},
    "not": Form(_only("boolean", "boolean"), "a boolean", 1, 1),
    "if": Form(_choice, "a boolean as condition and two values of one kind", 3, 3),
    "in": Form(_member, "texts or numbers, as the list beside it", 2, 1 + _LOTS),
    "contains": Form(_only("text", "boolean"), "texts", 2, 2),
    **{
        name: Form(_number, "a number", 1, 1)
        for name in ("log", "log1p", "exp", "sqrt", "abs", "floor")
    },
    **{name: Form(_number, "numbers", 2, _LOTS) for name in ("min", "max")},
    "clip": Form(_number, "numbers: a value, the lowest, the highest", 3, 3),
    "isnull": Form(lambda _: "boolean", "anything", 1, 1),
    "coalesce": Form(_alike, "values of one kind", 2, _LOTS),
    **{
        name: Form(_only("time", "number"), "a time", 1, 1)
        for name in ("hour", "weekday", "day", "month", "year")
    },
    "lower": Form(_only("text", "text"), "a text", 1, 1),
    "len": Form(_only("text", "number"), "a text", 1, 1),
    "concat": Form(_only("text", "text"), "texts", 2, _LOTS),
}
#: Those that are written as calls.
FUNCTIONS = frozenset(name for name in FORMS if name.isidentifier()) - {
    "neg", "and", "or", "not", "if", "in", "contains",
}  # fmt: skip
